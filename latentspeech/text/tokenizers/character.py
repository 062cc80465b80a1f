"""Characters as tokens: no training, no tools, a fixed inventory.

Letters with accents that the inventory lacks lose their accents; other unknown ones become <unk>.
"""

import string
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, model_validator

from latentspeech.core.config import Config
from latentspeech.core.errors import CheckpointError
from latentspeech.text.normalizer.punctuation import KEPT_PUNCTUATION
from latentspeech.text.tokenizers.metadata import read_metadata, write_metadata
from latentspeech.text.tokenizers.protocol import Case, in_case, spoken_text
from latentspeech.text.tokenizers.symbols import SymbolTable

SYMBOLS = " " + KEPT_PUNCTUATION + string.ascii_lowercase + string.ascii_uppercase


class CharacterTokenizerConfig(Config):
    """Settings of CharacterTokenizer."""

    kind: Literal["character"] = "character"
    case: Case = Field(
        default="keep", description="lower: small letters alone, so 26 fewer ids to learn"
    )


class CharacterTokenizerMetadata(CharacterTokenizerConfig):
    """tokenizer.json of a CharacterTokenizer."""

    symbols: tuple[str, ...] = Field(description="the inventory; ids count from 2")

    @model_validator(mode="before")
    @classmethod
    def _read_first_version(cls, values: Any) -> Any:
        """Directories of the first version say `lowercase` instead of `case`."""
        if not (isinstance(values, dict) and "lowercase" in values):
            return values
        others = {name: value for name, value in values.items() if name != "lowercase"}
        return {**others, "case": "lower" if values["lowercase"] else "keep"}


class CharacterTokenizer:
    """One token for each character of the normalised text."""

    def __init__(
        self, config: CharacterTokenizerConfig, symbols: Sequence[str] | None = None
    ) -> None:
        self.config = config
        known = in_case(SYMBOLS, config.case)
        self.table = SymbolTable(dict.fromkeys(known) if symbols is None else symbols)

    @property
    def vocab_size(self) -> int:
        """Number of ids, <pad> and <unk> among them."""
        return len(self.table)

    def encode(self, text: str) -> list[int]:
        """The ids of one text."""
        spoken = in_case(spoken_text(text), self.config.case)
        return self.table.encode("".join(map(self._plain, spoken)))

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """The normalised text of `ids`, in the tokenizer's case."""
        return self.table.decode(ids)

    def save(self, directory: Path) -> None:
        """Writes tokenizer.json into `directory`."""
        values = {**self.config.model_dump(), "symbols": self.table.symbols}
        write_metadata(directory, CharacterTokenizerMetadata(**values))

    @classmethod
    def load(cls, directory: Path) -> "CharacterTokenizer":
        """Reads what `save` wrote."""
        metadata = read_metadata(directory, CharacterTokenizerMetadata)
        try:
            config = CharacterTokenizerConfig(case=metadata.case)
            return cls(config, metadata.symbols)
        except ValueError as error:
            raise CheckpointError(f"{directory}/tokenizer.json: {error}") from None

    def _plain(self, character: str) -> str:
        """The character without its accents where only that is in the inventory."""
        if character in self.table:
            return character
        plain = unicodedata.normalize("NFD", character)[0]
        return plain if plain in self.table else character
