"""Reads numbers with a slash between: fractions, mixed numbers, marks out of ten, shares, pages.

A slash has several readings, and the words around it choose. '9/10' is nine out of ten, but nine
tenths before 'of' or a measure. Two numbers that add up to a hundred ('60/40') are shares.
"""

import re

from latentspeech.text.normalizer.numbers.number_words import apart, cardinal, decimal, fraction

_SPECIAL = {"24/7": "twenty-four seven", "9/11": "nine eleven", "20/20": "twenty twenty"}
_SPECIALS = re.compile(r"(?<![\d/])(?:24/7|9/11|20/20)(?![\d/])")
_ALONE = r"(?![\d/]|\.\d)"
_MEASURE = (
    r"(?:of|in\.|inch|inches|foot|feet|mile|miles|meters?|kilometers?|pounds?|ounces?|cups?|pints?|"
    r"gallons?|liters?|grams?|teaspoons?|tablespoons?|hours?|second|seconds|share|majority)\b"
)
_TIME_SIGNATURE = re.compile(
    r"(?<![\d.,/])(\d{1,2})/(\d{1,2})(?=[\s-](?:time|meter|signature|beat|rhythm)\b)"
)
_DECIMAL_MARK = re.compile(rf"(?<![\d.,/])(\d{{1,4}}\.\d{{1,3}})\s?/\s?(\d{{1,4}}){_ALONE}")
_OUT_OF_TEN = re.compile(
    rf"(?<![\d.,/-])(\d{{1,3}})/(10|100)(?![\d/]|\.\d|[\s-]{_MEASURE}|(?:ths?)\b)(?<!\b1/10)(?<!\b1/100)"
)
_RATED = re.compile(
    r"\b((?:[Rr]at(?:ed?|ing)|[Ss]cor(?:ed?|ing)|[Gg](?:a|i)ve(?: it| them| this)?|[Mm]arks?|"
    r"[Gg]rade|[Rr]eview)(?: of|:| is| was| as| at)? a?\s?)"
    rf"(\d{{1,3}})/(\d{{1,3}}){_ALONE}(?!\s{_MEASURE})"
)
_NUMBERED = re.compile(
    r"(?<![\w'-])([Pp]age|[Pp]art|[Ss]tep|[Ss]lide|[Ss]heet|[Cc]hapter|[Qq]uestion|[Ee]pisode|[Tt]hread|[Dd]ay|[Ff]ile)"
    rf"( #?)(\d{{1,4}})\s?/\s?(\d{{1,4}}){_ALONE}"
)
_MIXED = re.compile(rf"(?<![\d.,/-])(\d{{1,9}})(?:\s+|-)(\d{{1,3}})/(\d{{1,4}}){_ALONE}")
_FRACTION = re.compile(rf"(?<![\d.,/])(\d{{1,9}})/(\d{{1,9}})(?:rds?\b|ths?\b)?{_ALONE}")
_SHARES = re.compile(r"(?<![\d.,/-])(\d\d)-(\d\d)(?=\s(?:chances?|split|odds|mix|rule|shot)\b)")
_DIVISION = re.compile(r"(?<=\d) / (?=\d)")


def read_fractions(text: str) -> str:
    """'2-1/2' -> 'two and a half', '4.5/5' -> 'four point five out of five', '3/4' as usual."""
    text = _SPECIALS.sub(lambda m: _SPECIAL[m[0]], text)
    text = _TIME_SIGNATURE.sub(lambda m: f"{cardinal(m[1])} {cardinal(m[2])}", text)
    text = _DECIMAL_MARK.sub(lambda m: f"{decimal(m[1])} out of {cardinal(m[2])}", text)
    text = _NUMBERED.sub(lambda m: f"{m[1]} {cardinal(m[3])} of {cardinal(m[4])}", text)
    text = _RATED.sub(lambda m: f"{m[1]}{cardinal(m[2])} out of {cardinal(m[3])}", text)
    text = _MIXED.sub(_read_mixed, text)
    text = _OUT_OF_TEN.sub(_read_out_of, text)
    text = _SHARES.sub(_read_fraction, text)
    text = _FRACTION.sub(_read_fraction, text)
    return _DIVISION.sub(" divided by ", text)


def _read_out_of(match: re.Match[str]) -> str:
    if int(match[1]) > int(match[2]):
        return match[0]
    return apart(f"{cardinal(match[1])} out of {cardinal(match[2])}", match)


def _read_mixed(match: re.Match[str]) -> str:
    if int(match[2]) >= int(match[3]):
        return match[0]
    part = fraction(match[2], match[3])
    if part.startswith("one ") and "over" not in part:
        part = ("an " if part.startswith("one eigh") else "a ") + part[4:]
    return apart(f"{cardinal(match[1])} and {part}", match)


def _read_fraction(match: re.Match[str]) -> str:
    above, below = match[1], match[2]
    if min(len(above), len(below)) >= 2 and above[0] != "0" and int(above) + int(below) == 100:
        return apart(f"{cardinal(above)} {cardinal(below)}", match)
    return apart(fraction(above, below), match)
