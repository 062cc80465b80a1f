"""The interface of every tokenizer, and the normalised text that all of them read."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

from latentspeech.core.errors import InputError
from latentspeech.text.normalizer import NormalizedText, normalize

PAD_ID = 0
UNK_ID = 1
PAD = "<pad>"
UNK = "<unk>"

# A tokenizer of letters keeps their case, or reads small letters alone.
Case = Literal["keep", "lower"]


class Tokenizer(Protocol):
    """Turns text into ids below `vocab_size`; id 0 is <pad>, id 1 is <unk>.

    `encode` normalises a text that is not a `NormalizedText` yet and raises InputError where
    nothing is left. `decode` gives the normalised text, or its phonemes; <pad> is left out.
    """

    @property
    def vocab_size(self) -> int:
        """Number of ids, <pad> and <unk> among them."""
        ...

    def encode(self, text: str) -> list[int]:
        """The ids of one text."""
        ...

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text; for phonemes much faster than one by one."""
        ...

    def decode(self, ids: Sequence[int]) -> str:
        """The normalised text, or the phonemes, of `ids`."""
        ...

    def save(self, directory: Path) -> None:
        """Writes tokenizer.json, and what else is needed, into `directory`."""
        ...


def spoken_text(text: str) -> NormalizedText:
    """The normalised text; InputError where nothing is left to say."""
    spoken = normalize(text)
    if not spoken:
        shown = repr(text[:40]) + ("..." if len(text) > 40 else "")
        raise InputError(f"text is empty after normalisation: {shown}; give at least one word")
    return spoken


def in_case(text: str, case: Case) -> str:
    """A normalised text in a tokenizer's case."""
    return text.lower() if case == "lower" else text
