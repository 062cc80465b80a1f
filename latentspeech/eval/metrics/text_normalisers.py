"""Text normalisers by name; WER compares the words of both texts after one of them.

`whisper` is the English normaliser that came with Whisper (Radford et al., 2022, arXiv 2212.04356):
it writes numbers, contractions, titles and British spellings in one way and drops hesitations.
`librispeech` only makes the text lower case and keeps a-z, 0-9, apostrophe and space, as in
LibriSpeech's transcripts; "20" and "twenty" stay different words. A published WER belongs to one of
the two: for HuBERT-large on the recordings of LibriSpeech test-clean the choice alone moves it by
half a point.
"""

import re
import unicodedata
from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.scorer import package_version, require_packages

_APOSTROPHES = str.maketrans({"\u2019": "'", "\u2018": "'", "\u02bc": "'", "`": "'"})


class TextNormaliser(ABC):
    """A function from text to words separated by single spaces."""

    name: str

    @abstractmethod
    def describe(self) -> str:
        """Returns the name in reports, with the version if a package provides it."""

    @abstractmethod
    def __call__(self, text: str) -> str:
        """Returns the words of `text`; "" if it has none."""

    def prepare(self, metric: str) -> None:  # noqa: B027  most have nothing to load
        """Raises MetricUnavailable in the name of `metric` if a package is missing."""


class WhisperNormaliser(TextNormaliser):
    """`EnglishTextNormalizer` of the package whisper-normalizer."""

    name = "whisper"

    def describe(self) -> str:
        """Returns the name with the version of the package."""
        return f"whisper (EnglishTextNormalizer of {package_version('whisper-normalizer')})"

    def prepare(self, metric: str) -> None:
        """Loads the package and its tables, which takes a moment."""
        require_packages(metric, {"whisper_normalizer": "whisper-normalizer"})
        _ = self._normalise

    def __call__(self, text: str) -> str:
        """Returns the words, with numbers as digits."""
        return " ".join(str(self._normalise(text)).split())

    @cached_property
    def _normalise(self) -> Any:
        from whisper_normalizer.english import EnglishTextNormalizer

        return EnglishTextNormalizer()


class LibriSpeechNormaliser(TextNormaliser):
    """Lower case; accents folded; other characters end a word."""

    name = "librispeech"

    def describe(self) -> str:
        """Returns the name and the kept characters."""
        return "librispeech (lower case, a-z 0-9 ' and space)"

    def __call__(self, text: str) -> str:
        """Returns the words; an apostrophe alone is not a word."""
        folded = unicodedata.normalize("NFKD", text.translate(_APOSTROPHES).lower())
        # The combining marks of accents are dropped first, since the next line would turn them into
        # spaces and split the word.
        folded = "".join(char for char in folded if not unicodedata.combining(char))
        words = re.sub(r"[^a-z0-9' ]", " ", folded).split()
        return " ".join(word for word in words if word.strip("'"))


NORMALISERS: dict[str, type[TextNormaliser]] = {
    kind.name: kind for kind in (WhisperNormaliser, LibriSpeechNormaliser)
}


def check_normaliser(name: str) -> str:
    """Returns `name`; ConfigError for one that is not in NORMALISERS."""
    if name not in NORMALISERS:
        raise ConfigError(f"unknown normaliser {name!r}; choose from {', '.join(NORMALISERS)}")
    return name
