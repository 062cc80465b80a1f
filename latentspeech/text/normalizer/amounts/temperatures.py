"""Reads temperatures, angles and compass degrees; tells '14C' outside from seat 14C."""

import re

from latentspeech.text.normalizer.amounts.adjectives import is_adjective

_ONE = r"(?:(?<![\d.,-])(1)|(?<=\d))"
_SCALES = {"C": "Celsius", "F": "Fahrenheit"}
_SIGNED = re.compile(
    rf"{_ONE}\s?(?:\u00b0|degrees?\b|deg\b)\s?(C|F|Celsius|Fahrenheit)(?![\w'-])"
    rf"|{_ONE}\s?(C|F)\s+degrees?(?![\w'-])"
)
_BARE = re.compile(r"(?<=\d)\s?(C|F)(?![\w'-])")
_WEATHER_BEFORE = re.compile(
    r"\b(?:is|was|are|[Ii]t's|at|to|of|about|around|below|above|under|over|reach(?:ed|es)?|hit|minus|and|or|between|than|"
    r"[Tt]emperatures?:?|[Hh]igh|[Ll]ow)\s?-?\s?[\d.]{1,6}(?:\s?-\s?[\d.]{1,6})?$"
)
_WEATHER_AFTER = re.compile(
    r"\s?(?:outside|inside|today|tonight|tomorrow|degrees|weather|oven|heat|water)\b"
)
_SEAT_BEFORE = re.compile(
    r"\b(?:[Ss]eat|[Rr]ow|[Gg]ate|[Ff]lat|[Aa]partment|[Rr]oom|[Uu]nit|[Ss]ection|[Tt]able|[Tt]rack|[Pp]latform|"
    r"[Ff]orm|[Pp]art|[Ll]evel|[Cc]lass|[Ff]igure|[Cc]hapter|[Aa]nnex)\s(?:is\s|was\s)?[\d.]{1,6}$"
)
_DEGREES = re.compile(
    r"(?<![\w.,-])(\d{1,5}(?:\.\d{1,9})?)\s?\u00b0(?:\s?([NSEW])\b)?(?!\s?[CF]\b|\w)|(?<=\d)\s?\u00b0(?=\s[a-z])"
)
_COMPASS = {"N": "north", "S": "south", "E": "east", "W": "west"}
_LOOK_BACK = 40


def read_temperatures(text: str) -> str:
    """'20 C' -> '20 degrees Celsius', 'a 90\u00b0 turn' -> 'a 90 degree turn'."""
    text = _SIGNED.sub(_read_signed, text)
    text = _BARE.sub(_read_bare, text)
    return _DEGREES.sub(_read_degrees, text)


def _read_signed(match: re.Match[str]) -> str:
    number = match[1] or match[3] or ""
    scale = match[2] or match[4]
    return f"{number} {'degree' if number else 'degrees'} {_SCALES.get(scale, scale)}"


def _read_bare(match: re.Match[str]) -> str:
    """A letter that touches the number needs a word of weather before or after it."""
    before = match.string[max(0, match.start() - _LOOK_BACK) : match.start()]
    touches = not match[0][0].isspace()
    if _SEAT_BEFORE.search(before):
        return match[0]
    is_weather = _WEATHER_BEFORE.search(before) or _WEATHER_AFTER.match(match.string, match.end())
    if touches and not is_weather:
        return match[0]
    return f" degrees {_SCALES[match[1]]}"


def _read_degrees(match: re.Match[str]) -> str:
    if match[1] is None:
        return " degrees"
    one = match[1] == "1" or is_adjective(match)
    compass = f" {_COMPASS[match[2]]}" if match[2] else ""
    return f"{match[1]} {'degree' if one else 'degrees'}{compass}"
