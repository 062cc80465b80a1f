"""Reads the numbers of houses, rooms, roads and flights as people say them, in pairs of digits."""

import re

from latentspeech.text.normalizer.numbers.number_words import in_pairs

_STREET = (
    r"(?:Street|Avenue|Road|Boulevard|Lane|Drive|Way|Court|Place|Square|Highway|Parkway|Terrace|Row|"
    r"St|Ave|Rd|Blvd|Ln|Dr|Ct|Pl|Sq|Hwy|Pkwy)\b"
)
_HOUSE = re.compile(
    rf"(?<![\w$.,/-])(\d{{3,4}})([A-Z]?)(?=\s(?:[NSEW]\.?\s|North\s|South\s|East\s|West\s)?(?:[A-Z\d][\w']{{0,30}}\s){{1,3}}{_STREET})"
)
_PLACE = re.compile(
    r"\b((?:Room|room|Suite|suite|Ste\.?|Flight|flight|Highway|Hwy\.?|Route|route|Interstate|Apartment|apartment|"
    r"Apt\.?|Unit|Bus|bus|Boeing|RTX|GTX|Ryzen \d)\s#?|\bI-)(\d{3,4})(?![\d%]|[.,:/]\d)"
)


def read_places(text: str) -> str:
    """'221B Baker Street' -> 'two twenty-one B Baker Street', 'Room 101' -> 'Room one oh-one'."""
    text = _HOUSE.sub(_read_house, text)
    return _PLACE.sub(_read_place, text)


def _read_house(match: re.Match[str]) -> str:
    return in_pairs(match[1]) + (f" {match[2]}" if match[2] else "")


def _read_place(match: re.Match[str]) -> str:
    before = {"I-": "I ", "Ste ": "Suite ", "Ste. ": "Suite "}.get(match[1], match[1])
    after = match.string[match.end() : match.end() + 1]
    return before.replace("#", "") + in_pairs(match[2]) + (" " if after.isalpha() else "")
