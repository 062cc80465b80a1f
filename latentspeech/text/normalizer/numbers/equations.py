"""Reads powers, numbers in scientific notation, and the signs between the parts of an equation."""

import re

from latentspeech.text.normalizer.numbers.number_words import decimal

_OPERAND = r"[\w)]"
_STEPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"(?<=\d)\s?-\s?(?=\d[\d.,]{0,30}\s*=)", " minus "),
        # 'a - b = c' and 'x - 1': a dash between lone small letters or numbers
        (r"(?<![\w-])([b-hj-z]|a(?= - [\w^]{1,9} =)|\d{1,9}) - (?=[b-z](?![\w'-]))", r"\1 minus "),
        (r"(?<=\d)\s?\*\s?(?=\d)|(?<=\d) [xX] (?=\d)", " times "),
        (r"(?<=[\w)])\s?\^\s?2(?![\d.])", " squared"),
        (r"(?<=[\w)])\s?\^\s?3(?![\d.])", " cubed"),
        (r"(?<=[\w)])\s?\^\s?[{(]?(?=[-+]?(?:\d|[a-z](?!\w)))", " to the power of "),
        (r"(?<=power of )-\s?", "minus "),
        (r"(?<=[\w)])(?:\*\* ?(?=\d|[a-z(](?!\w))| \*\* (?=\d))", " to the power of "),
        (r"(?<=\S) && (?=\S)", " and "),
        (r"(?<=\w) (?:->|=>|-->|==>) (?=\w)", " to "),
        (r"(?<=\w) <= ?(?=\w)", " at most "),
        (r"(?<=\w) >= ?(?=\w)", " at least "),
        (r"(?<= )!=(?= )", "is not equal to"),
        (r"(?<= )==(?= )", "equals"),
        (r"(?<![\w'])([a-z]|\d{1,9}) >(?= (?:[a-z]|\d{1,9})(?![\w'^]))", r"\1 greater than"),
        (r"(?<![\w'])([a-z]|\d{1,9}) <(?= (?:[a-z]|\d{1,9})(?![\w'^]))", r"\1 less than"),
        (r"(?<![\w'])([a-z])\(([a-z])\)(?= ?=)", r"\1 of \2"),
    )
)  # fmt: skip
_SCIENTIFIC = re.compile(
    r"(?<![\w.,-])(-?)(\d{1,9}(?:\.\d{1,9})?)[eE]([+-]?)(\d{1,3})(?![\w-]|\.\d)"
)


def read_equations(text: str) -> str:
    """'x^2' -> 'x squared', '1e-5' -> 'one times ten to the power of minus 5'."""
    text = _SCIENTIFIC.sub(_read_scientific, text)
    for pattern, replacement in _STEPS:
        text = pattern.sub(replacement, text)
    return text


def _read_scientific(match: re.Match[str]) -> str:
    minus = "minus " if match[1] else ""
    power = "minus " if match[3] == "-" else ""
    return (
        f"{minus}{decimal(match[2])} times ten to the power of {power}{match[4].lstrip('0') or '0'}"
    )
