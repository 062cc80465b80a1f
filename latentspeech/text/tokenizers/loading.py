"""Makes a tokenizer from its config, or from the directory where one was saved."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from latentspeech.core.errors import CheckpointError
from latentspeech.text.tokenizers.bpe import BPETokenizer, BPETokenizerConfig
from latentspeech.text.tokenizers.character import CharacterTokenizer, CharacterTokenizerConfig
from latentspeech.text.tokenizers.metadata import FILE_NAME, read_values
from latentspeech.text.tokenizers.misaki import MisakiTokenizer, MisakiTokenizerConfig
from latentspeech.text.tokenizers.phoneme import PhonemeTokenizer, PhonemeTokenizerConfig
from latentspeech.text.tokenizers.protocol import Tokenizer

TokenizerConfig = Annotated[
    BPETokenizerConfig | MisakiTokenizerConfig | PhonemeTokenizerConfig | CharacterTokenizerConfig,
    Field(discriminator="kind"),
]


def build_tokenizer(config: TokenizerConfig, texts: Iterable[str] = ()) -> Tokenizer:
    """The tokenizer that `config` asks for; only BPE learns from `texts`."""
    match config:
        case BPETokenizerConfig():
            return BPETokenizer.train(texts, config.vocab_size, config.model_type, config.case)
        case MisakiTokenizerConfig():
            return MisakiTokenizer()
        case PhonemeTokenizerConfig():
            return PhonemeTokenizer(config)
        case CharacterTokenizerConfig():
            return CharacterTokenizer(config)


def load_tokenizer(directory: Path) -> Tokenizer:
    """Reads any tokenizer that was saved; CheckpointError when files are missing or damaged."""
    directory = Path(directory)
    kind = read_values(directory).get("kind")
    match kind:
        case "bpe":
            return BPETokenizer.load(directory)
        case "misaki":
            return MisakiTokenizer.load(directory)
        case "phoneme":
            return PhonemeTokenizer.load(directory)
        case "character":
            return CharacterTokenizer.load(directory)
        case _:
            raise CheckpointError(
                f"{directory / FILE_NAME}: kind = {kind!r}; expected bpe, misaki, phoneme or "
                "character"
            )


def case_rule(tokenizer: Tokenizer) -> str:
    """A phrase that says what a tokenizer does with the case of a text."""
    match tokenizer:
        case BPETokenizer() | CharacterTokenizer():
            return "small letters" if tokenizer.config.case == "lower" else "letters in their case"
        case _:
            return "phonemes"
