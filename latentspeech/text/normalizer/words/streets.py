"""Reads St. and Dr. by their context, and streets that are written without a dot."""

import re

from latentspeech.text.normalizer.words.abbreviations import ends_sentence

_ST_OR_DR = re.compile(r"(\b[A-Z\d][\w']{0,30}\s)?\b(St|Dr|ST|DR)\b(\.?)(?!\w)(?=(\s+[A-Z])?)")
_ADDRESS = re.compile(r"\d+(?:st|nd|rd|th)?\s(?:[NSEW]\.?\s)?(?:[A-Z]\w{0,30}\s){1,3}$")
_STREETS = {
    "Blvd": "Boulevard", "Ave": "Avenue", "Av": "Avenue", "Rd": "Road", "Ln": "Lane",
    "Hwy": "Highway", "Pkwy": "Parkway", "Ct": "Court", "Pl": "Place", "Sq": "Square",
    "Ter": "Terrace", "Cres": "Crescent",
}  # fmt: skip
_AFTER_NAME = re.compile(
    rf"((?:\b[A-Z][\w']{{0,30}}|\b\d{{1,3}}(?:st|nd|rd|th))\s)({'|'.join(_STREETS)})\b(\.?)(?![\w'])"
)
_BEFORE_NUMBER = re.compile(r"\b(Apt|Ste|Hwy|Bldg|Rm)\b\.?(?=\s#?\d)")
_WORDS_BEFORE_NUMBER = {
    "Apt": "Apartment", "Ste": "Suite", "Hwy": "Highway", "Bldg": "Building", "Rm": "Room",
}  # fmt: skip
_DIRECTIONS = {"N": "North", "S": "South", "E": "East", "W": "West"}
_DIRECTION = re.compile(
    r"(?<=[\da-z] )([NSEW])\.?(?= (?:[A-Z\d][\w']{0,30} ){1,2}"
    r"(?:Street|Avenue|Road|Boulevard|Lane|Drive|St|Ave|Rd|Blvd|Ln|Dr)\b)"
)


def read_streets(text: str) -> str:
    """'Dr. Lee lives on Elm Dr. near Sunset Blvd' -> 'Doctor Lee ... Elm Drive near Sunset ...'."""
    text = _DIRECTION.sub(lambda m: _DIRECTIONS[m[1]], text)
    text = _BEFORE_NUMBER.sub(lambda m: _WORDS_BEFORE_NUMBER[m[1]], text)
    text = _AFTER_NAME.sub(_read_street, text)
    return _ST_OR_DR.sub(_read_st_or_dr, text)


def _read_street(match: re.Match[str]) -> str:
    ends = match[3] and ends_sentence(match, True)
    return match[1] + _STREETS[match[2]] + ("." if ends else "")


def _read_st_or_dr(match: re.Match[str]) -> str:
    """A street if a capitalised word stands before and none after, else a saint or a doctor."""
    before, name, dot, capital = match[1] or "", match[2].title(), match[3], match[4]
    start = match.string[max(0, match.start(2) - 90) : match.start(2)]
    address = _ADDRESS.search(start) is not None
    if before and (not capital or address):
        ends = dot and (capital or ends_sentence(match, True))
        return before + {"St": "Street", "Dr": "Drive"}[name] + ("." if ends else "")
    if not dot and not capital:
        return match[0]
    return before + {"St": "Saint", "Dr": "Doctor"}[name]
