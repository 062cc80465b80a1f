"""Reads the names of models and versions: 'i5-13600K', 'A320', 'MP3s', 'v2.0'.

A hyphen between digits is a range only where no letter touches either number.
"""

import re

from latentspeech.text.normalizer.numbers.number_words import cardinal, in_pairs, plural

_MODEL = re.compile(
    r"(?<![\w.-])([A-Za-z]{1,6}\d{1,4}|\d{1,3}[A-Z]{1,3}\d{1,3})-(\d{1,5})([A-Za-z]{0,3})(?![\w-]|\.\d)"
)
_LETTER_AND_HUNDREDS = re.compile(r"(?<![\w-])([A-Z]{1,2})(\d{3}|[1-9]\d00)(?![\w-]|[.,]\d)")
_WORD_AND_HUNDREDS = re.compile(
    r"(?<![\w'-])([A-Z][A-Za-z]{0,14})-(\d{3})(?=$|[^\w-]|'s)(?![.,]\d)(?!-)"
)
_AFTER_DOT = re.compile(r"(?<![\w.])([Hh])\.(26[1-6])(?!\w)")
_WIRELESS = re.compile(r"(?<![\w.])802\.11(?=([a-z]{1,2})?(?![\w.]))")
_CARBON = re.compile(r"(?<![\w-])CO(?=2(?![\w.]))")
_PLURAL = re.compile(r"(?<![\w'-])([A-Z][A-Za-z]{0,5}-?)(\d{1,3})s(?![\w'])")
_BOARDS = re.compile(r"(?<![\w.])(\d{1,2})x(\d{1,2})s(?!\w)")
_VERSION = re.compile(r"(?<![\w.])[vV](?=\d{1,3}\.\d)")


def read_models(text: str) -> str:
    """'i5-13600K' -> 'i5 thirteen six hundred K', 'two MP3s' -> 'two MP threes'."""
    text = _MODEL.sub(lambda m: f"{m[1]} {_number(m[2])} {m[3]}".rstrip(), text)
    text = _LETTER_AND_HUNDREDS.sub(lambda m: f"{m[1]} {in_pairs(m[2])}", text)
    text = _WORD_AND_HUNDREDS.sub(lambda m: f"{m[1]}-{in_pairs(m[2])}", text)
    text = _AFTER_DOT.sub(lambda m: f"{m[1].upper()} {in_pairs(m[2])}", text)
    text = _WIRELESS.sub(lambda m: "eight oh two dot eleven" + (" " if m[1] else ""), text)
    text = _BOARDS.sub(lambda m: f"{m[1]} by {plural(cardinal(m[2]))}", text)
    text = _CARBON.sub("C O ", text)
    text = _VERSION.sub("version ", text)
    return _PLURAL.sub(_read_plural, text)


def _number(number: str) -> str:
    return in_pairs(number) if len(number) > 2 else cardinal(number)


def _read_plural(match: re.Match[str]) -> str:
    gap = "" if match[1].endswith("-") else " "
    return f"{match[1]}{gap}{plural(cardinal(match[2]))}"
