"""Reads the numbers that no other rule has read: ordinals, decades, years, decimals, cardinals.

A bare 1100 to 2099 is read as a year unless a plural follows.
"""

import re

from latentspeech.text.normalizer.numbers.number_words import (
    apart,
    cardinal,
    decimal,
    digits,
    ordinal,
    plural,
    year,
)

_NOT_PLURAL = r"(?:was|is|as|has|his|its|this|us|thus|perhaps|always|elections|olympics)\b"
_PLURAL_FOLLOWS = re.compile(rf"\s+(?!{_NOT_PLURAL})[a-z]{{2,30}}s\b(?!')")
_N = r"\d{1,3}(?:,\d{2,3}){0,12},\d{3}(?!\d)|\d+"  # commas as in the US or in India
_ORDINAL = re.compile(rf"(?<!\d)(?<!\d,)({_N})(?:st|nd|rd|th|ST|ND|RD|TH)\b")
_DECADE = re.compile(r"(?<![\w.,])'?(\d{1,9}0)'?s\b")
_SHORT_YEAR = re.compile(r"(?<!\w)'(?=\d\d(?![\w']))")
_BY = re.compile(r"(?<=\d)[xX](?=\d)")
_TIMES = re.compile(
    r"(?<=\d)x(?=\s(?:faster|slower|more|less|better|cheaper|bigger|smaller|the)\b)"
)
_TIMES_ALSO = re.compile(r"(?<=\d)\s[xX*](?=\d)|(?<=\d)[xX]\s(?=\d)")
_NEGATIVE = re.compile(r"(?<![\w)-])-\s?(?=\.?\d)")
_YEAR = re.compile(r"(?<![\d.,])(?:1[1-9]|20)\d\d(?![\d%]|[.,]\d)")
_LONG = re.compile(r"(?<![\d.,])\d{10,}(?!\d|[.,]\d)(?<!000)")
_DECIMAL = re.compile(rf"(?<!\d)(?:{_N})(?:\.\d+)?|\.\d+")


def is_counted(text: str, end: int) -> bool:
    """Whether a plural follows at `end`, so that the number before it is a count, not a year."""
    return _PLURAL_FOLLOWS.match(text, end) is not None


def read_numerals(text: str) -> str:
    """Replaces every ASCII digit of `text` by words."""
    text = _ORDINAL.sub(lambda m: apart(ordinal(m[1]), m), text)
    text = _DECADE.sub(lambda m: apart(_decade(m[1]), m), text)
    text = _SHORT_YEAR.sub("", text)
    text = _TIMES.sub(" times", _TIMES_ALSO.sub(" times ", _BY.sub(" by ", text)))
    text = _NEGATIVE.sub("minus ", text)
    text = _YEAR.sub(_read_year, text)
    text = _LONG.sub(lambda m: apart(digits(m[0]), m), text)
    return _DECIMAL.sub(lambda m: apart(decimal(m[0]), m), text)


def _decade(start: str) -> str:
    is_year = len(start) == 4 and "1100" <= start <= "2099"
    return plural(year(start) if is_year else cardinal(start))


def _read_year(match: re.Match[str]) -> str:
    counted = is_counted(match.string, match.end())
    return apart(decimal(match[0]) if counted else year(match[0]), match)
