"""Phonemes as tokens: IPA with stress from espeak-ng, one token per Unicode character.

The inventory is fixed. Long vowels and diphthongs are sequences ("o" and the length mark), so that
new words never need a new symbol. It has the symbols of other languages that espeak-ng uses in
English texts; any other symbol becomes <unk> and is counted in `table.unknown`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.errors import CheckpointError
from latentspeech.text.tokenizers.espeak import Espeak
from latentspeech.text.tokenizers.metadata import read_metadata, write_metadata
from latentspeech.text.tokenizers.protocol import spoken_text
from latentspeech.text.tokenizers.symbols import SymbolTable

PUNCTUATION = " .,?!;:-"
# primary stress, secondary stress, long, half long, syllabic, nasal, palatalised
MARKS = "\u02c8\u02cc\u02d0\u02d1\u0329\u0303\u02b2"
VOWELS = (
    "aeiouy\u00e6\u00f8\u0153\u0250\u0251\u0252\u0254\u0258\u0259\u025a\u025b\u025c\u025d\u0268"
    "\u026a\u0289\u028a\u028c\u028f\u1d7b"
)
CONSONANTS = (
    "bcdfhjklmnpqrstvwxz\u0261\u00e7\u00f0\u014b\u0263\u0265\u026b\u026c\u0271\u0272\u0278"
    "\u0279\u027e\u0280\u0281\u0282\u0283\u028d\u028e\u0292\u0294\u029d\u03b2\u03b8"
)
SYMBOLS = PUNCTUATION + MARKS + VOWELS + CONSONANTS


class PhonemeTokenizerConfig(Config):
    """Settings of PhonemeTokenizer."""

    kind: Literal["phoneme"] = "phoneme"
    voice: Literal["en-us", "en-gb"] = Field(
        default="en-us", description="accent of the pronunciation"
    )


class PhonemeTokenizerMetadata(PhonemeTokenizerConfig):
    """tokenizer.json of a PhonemeTokenizer."""

    symbols: tuple[str, ...] = Field(description="the inventory; ids count from 2")


class PhonemeTokenizer:
    """One token for each phoneme character, word space or punctuation mark."""

    def __init__(
        self, config: PhonemeTokenizerConfig, symbols: Sequence[str] | None = None
    ) -> None:
        self.config = config
        self.table = SymbolTable(SYMBOLS if symbols is None else symbols)
        self._espeak = Espeak(config.voice)

    @property
    def vocab_size(self) -> int:
        """Number of ids, <pad> and <unk> among them."""
        return len(self.table)

    def phonemes(self, texts: Sequence[str]) -> list[str]:
        """The IPA string of each text, punctuation in place."""
        return self._espeak.phonemize([spoken_text(text) for text in texts])

    def encode(self, text: str) -> list[int]:
        """The ids of one text; for many use `encode_batch`."""
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, by at most one espeak-ng process."""
        return [self.table.encode(phonemes) for phonemes in self.phonemes(texts)]

    def decode(self, ids: Sequence[int]) -> str:
        """The IPA string of `ids`."""
        return self.table.decode(ids)

    def save(self, directory: Path) -> None:
        """Writes tokenizer.json into `directory`."""
        values = {**self.config.model_dump(), "symbols": self.table.symbols}
        write_metadata(directory, PhonemeTokenizerMetadata(**values))

    @classmethod
    def load(cls, directory: Path) -> "PhonemeTokenizer":
        """Reads what `save` wrote; an inventory of an older version stays as it was."""
        metadata = read_metadata(directory, PhonemeTokenizerMetadata)
        try:
            return cls(PhonemeTokenizerConfig(voice=metadata.voice), metadata.symbols)
        except ValueError as error:
            raise CheckpointError(f"{directory}/tokenizer.json: {error}") from None
