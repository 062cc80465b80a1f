"""Reads heights in feet and inches: 5'11", and 5'9 without its last mark."""

import re

from latentspeech.text.normalizer.amounts.adjectives import is_adjective

_BOTH = re.compile(r"(?<![\d.,\w])(\d{1,3})'\s?(\d{1,2})(\"|'')?(?![\w'])")
_INCHES = re.compile(
    r"(?<![\d.,\w])(\d{1,3}(?:\.\d)?)\"(?=\s(?:screens?|TVs?|monitors?|displays?|laptops?|pipes?|rulers?|pizzas?|"
    r"wheels?|tall|long|wide|deep|high|thick|x|by)\b)"
)
_BY = re.compile(
    r"(?<![\d.,\w])(\d{1,4}(?:\.\d)?)(['\"])\s?[xX\u00d7]\s?(\d{1,4}(?:\.\d)?)\2(?!\w)"
)
_FRACTION = re.compile(r"(?<![\d.,/])((?:\d{1,2}[ -])?\d{1,2}/\d{1,2})\"(?=\s[a-z])")
_LOOK_BACK = 200


def read_feet_and_inches(text: str) -> str:
    """'5'11"' -> '5 feet 11 inches', 'a 6'2" man' -> 'a 6 foot 2 man'."""
    text = _FRACTION.sub(r"\1 inch", _BY.sub(_read_by, text))
    text = _BOTH.sub(_read_both, text)
    return _INCHES.sub(_read_inches, text)


def _read_both(match: re.Match[str]) -> str:
    if is_adjective(match):
        return f"{match[1]} foot {match[2]}"
    inches = (" inch" if match[2] == "1" else " inches") if match[3] else ""
    return f"{match[1]} {'foot' if match[1] == '1' else 'feet'} {match[2]}{inches}"


def _read_by(match: re.Match[str]) -> str:
    """'5" x 7"' -> '5 by 7 inches'."""
    return f"{match[1]} by {match[3]} {'feet' if match[2] == chr(39) else 'inches'}"


def _read_inches(match: re.Match[str]) -> str:
    before = match.string[max(0, match.start() - _LOOK_BACK) : match.start()]
    if before.count('"') % 2:
        return match[0]  # it closes a quotation
    return f"{match[1]} {'inch' if match[1] == '1' or is_adjective(match) else 'inches'}"
