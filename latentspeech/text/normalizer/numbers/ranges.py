"""Reads a hyphen between two numbers as 'to', and chains of three or more numbers part by part."""

import re

from latentspeech.text.normalizer.numbers.number_words import (
    apart,
    cardinal,
    digit_groups,
)

_VERSION = re.compile(r"(?<![\d.])\d+(?:\.\d+){2,}")
_CHAIN = re.compile(r"(?<![\d-])\d+(?:-\d+){2,}(?![\d-])")
_RANGE = re.compile(r"(?<=\d)(?:-| - )(?=[.]?\d)")
_LETTERED = re.compile(r"(?<![\w-])([A-Z]{1,2})(\d{1,4})-(?=\1\d{1,4}(?![\w-]))")
_A_TO_Z = re.compile(r"(?<![\w-])([Aa])-([Zz])(?![\w-])")
_PHONE_DIGITS = 7


def read_ranges(text: str) -> str:
    """'5-7' -> '5 to 7', '1.2.3' -> 'one point two point three', '1-2-3' -> 'one two three'."""
    text = _VERSION.sub(_read_version, text)
    text = _CHAIN.sub(_read_chain, text)
    text = _RANGE.sub(" to ", text)
    text = _LETTERED.sub(r"\1\2 to ", text)
    return _A_TO_Z.sub(r"\1 to \2", text)


def _read_version(match: re.Match[str]) -> str:
    return apart(" point ".join(cardinal(part) for part in match[0].split(".")), match)


def _read_chain(match: re.Match[str]) -> str:
    """'1-2-3' -> 'one two three'; chains as long as telephone numbers are read digit by digit."""
    parts = match[0].split("-")
    if sum(map(len, parts)) >= _PHONE_DIGITS:
        return digit_groups(match[0])
    return " ".join(cardinal(part) for part in parts)
