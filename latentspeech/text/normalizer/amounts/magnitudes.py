"""Reads 'k', 'K' and 'M' after a number as thousand and million, where they are not letters.

'10k' and '25K' are thousands, '12M' is millions. '3M' is the company unless a plural or 'of'
follows, and the K of a '4K' screen or a '10K' run is a letter.
"""

import re

_THOUSANDS = re.compile(r"(?<![\w.,])(\d[\d.,]{0,30})(k|M|(?<=\d\d)K)(?![\w/])")
_K_IS_LETTER = re.compile(
    r"\s(?:runs?|races?|runners?|walks?|resolution|TVs?|screens?|monitors?|videos?|displays?)\b"
)
_COUNTED = re.compile(
    r"\s(?:of\b|in\b|(?!(?:is|was|has|does|makes|says|sells|plans|wants|buys|builds|reports|uses|owns)\b)[a-z]{2,30}s\b|people\b)|%"
)
_NAMES = {"k": "thousand", "K": "thousand", "M": "million"}


def read_magnitudes(text: str) -> str:
    """'10k users' -> '10 thousand users', '3M' stays, '3M users' -> '3 million users'."""
    return _THOUSANDS.sub(_read_magnitude, text)


def _read_magnitude(match: re.Match[str]) -> str:
    number, letter = match[1], match[2]
    text, end = match.string, match.end()
    if letter == "K" and _K_IS_LETTER.match(text, end):
        return match[0]
    if letter == "M" and len(number) == 1 and not _COUNTED.match(text, end):
        return match[0]
    return f"{number} {_NAMES[letter]}"
