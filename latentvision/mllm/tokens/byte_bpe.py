"""Byte-level BPE that a recipe trains on its own text (Sennrich et al. 2016, arXiv 1508.07909).

The alphabet is the 256 bytes, as in GPT-2, so every text has tokens. The library `tokenizers`
trains and applies it; the file is its JSON.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.storage.files import atomic_path
from latentvision.mllm.tokens.text_tokenizer import check_ids, check_text

NUM_BYTES = 256


class ByteBPE:
    """A trained byte-level BPE."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @classmethod
    def train(cls, texts: Iterable[str], size: int) -> "ByteBPE":
        """Learns at most `size` tokens from texts; fewer if the texts have no more pairs.

        Raises ConfigError if `size` is below 256.
        """
        if size < NUM_BYTES:
            raise ConfigError(
                f"a byte-level BPE of {size} tokens; expected {NUM_BYTES} or more, one for each "
                "byte; raise the size of the vocabulary"
            )
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=size,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        tokenizer.train_from_iterator(texts, trainer)
        return cls(tokenizer)

    @classmethod
    def load(cls, path: Path) -> "ByteBPE":
        """Reads a file of `save`; InputError if it is missing, DataError if it is no such BPE."""
        try:
            tokenizer = Tokenizer.from_str(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise InputError(
                f"no text tokenizer at {path}; give the JSON file that the recipe trained"
            ) from None
        except Exception as error:  # the library raises plain Exception
            raise DataError(
                f"{path} is no text tokenizer ({' '.join(str(error).split())}); expected a JSON "
                "file of the library tokenizers; train it again"
            ) from None
        bytes_ = pre_tokenizers.ByteLevel.alphabet()
        if any(tokenizer.token_to_id(byte) is None for byte in bytes_):
            raise DataError(
                f"{path} has no token for some bytes; expected a byte-level BPE; train it again"
            )
        return cls(tokenizer)

    def save(self, path: Path) -> None:
        """Writes the tokenizer as one JSON file."""
        with atomic_path(path) as temporary:
            temporary.write_text(self._tokenizer.to_str(), encoding="utf-8")

    @property
    def size(self) -> int:
        """The number of tokens."""
        size: int = self._tokenizer.get_vocab_size()
        return size

    def encode(self, text: str) -> list[int]:
        """The ids of a text; InputError if it is no Unicode text."""
        check_text(text)
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids; InputError if an id is unknown."""
        check_ids(ids, self.size)
        text: str = self._tokenizer.decode(list(ids), skip_special_tokens=False)
        return text
