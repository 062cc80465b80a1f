"""Finds words in a script that the voice does not speak, such as Chinese, Cyrillic or Arabic."""

import logging
import re
import unicodedata
from functools import lru_cache

from latentspeech.core.errors import InputError
from latentspeech.text.normalizer import NormalizedText

logger = logging.getLogger(__name__)

_SHOWN = 5  # words that a message names

_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")


def foreign_words(text: str) -> list[str]:
    """The words of a normalised text that have a letter of another script than Latin, in order.

    Normalised text names single Greek letters ("alpha"), so words in Greek are foreign too.
    """
    return [word for word in _WORD.findall(text) if not _is_readable(word)]


def readable_part(text: NormalizedText, strict: bool = False) -> NormalizedText:
    """The text without its foreign words, which a warning names.

    Raises:
        InputError: no other word is left, or `strict` is set and there is a foreign word.
    """
    if text.isascii():
        return text
    words = foreign_words(text)
    if not words:
        return text
    rest = _WORD.sub(lambda match: match[0] if _is_readable(match[0]) else " ", text)
    rest = re.sub(r"\s+(?=[.,?!;:])", "", re.sub(r"\s+", " ", rest))
    rest = re.sub(r"(?<=[.,?!;:])[.,;:]+", "", rest).strip(" .,;:-")
    shown = ", ".join(words[:_SHOWN]) + (", ..." if len(words) > _SHOWN else "")
    found = f"{len(words)} word{'s' if len(words) > 1 else ''} in a script other than Latin"
    if strict or not any(map(str.isalnum, rest)):
        raise InputError(f"{found}: {shown}; the voice speaks English, so give the text in English")
    logger.warning("skipped %s, which the voice does not speak: %s", found, shown)
    return NormalizedText(rest)


def _is_readable(word: str) -> bool:
    return all(map(_is_latin, word))


@lru_cache(maxsize=4096)
def _is_latin(letter: str) -> bool:
    if letter.isascii() or not letter.isalpha():
        return True
    name = unicodedata.name(letter, "")
    return name.startswith("LATIN") or unicodedata.category(letter) == "Lm"
