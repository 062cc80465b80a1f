"""Turns a dash between words into a comma, because readers pause at a dash."""

import re

_BEFORE_QUOTE = re.compile(r"\s?(?:(?<!-)-{2,}+|\s-)\s?(?=[\"'](?!\w))")
_DASH = re.compile(r"\s?(?<!-)-{2,}+\s?|\s+-\s+")


def read_dashes(text: str) -> str:
    """'She left - without a word - at six' -> 'She left, without a word, at six'."""
    return _DASH.sub(", ", _BEFORE_QUOTE.sub(",", text))
