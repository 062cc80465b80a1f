"""Joins thousands that are written with spaces, dots or apostrophes: '1 000 000', '1.000.000'."""

import re

_THOUSANDS = re.compile(
    r"(?<![\w.,+)-])(?<!\d )([1-9]\d{0,2}(?: \d{3}){2,6}|[1-9]\d{0,2} 000)(?! ?\d|[\w-]|,\d)"
)

_MARKED_THOUSANDS = re.compile(
    r"(?<![\w.,'-])[1-9]\d{0,2}(?:(?:\.\d{3}){2,6}|(?:'\d{3}){1,6})(?![\w']|[.,]\d)"
)


def join_spaced_thousands(text: str) -> str:
    """'1 000 000 bees' -> '1,000,000 bees'; one group alone must be '000'."""
    text = _MARKED_THOUSANDS.sub(lambda m: re.sub(r"[.']", ",", m[0]), text)
    return _THOUSANDS.sub(lambda m: m[1].replace(" ", ","), text)
