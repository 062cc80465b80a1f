"""Joins thousands that are written with spaces between: '1 000 000' is one number."""

import re

_THOUSANDS = re.compile(
    r"(?<![\w.,+)-])(?<!\d )([1-9]\d{0,2}(?: \d{3}){2,6}|[1-9]\d{0,2} 000)(?! ?\d|[\w-]|,\d)"
)


def join_spaced_thousands(text: str) -> str:
    """'1 000 000 bees' -> '1,000,000 bees'; one group alone must be '000'."""
    return _THOUSANDS.sub(lambda m: m[1].replace(" ", ","), text)
