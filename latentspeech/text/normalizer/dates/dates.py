"""Reads dates: ISO, US slashes, dots, and days beside the name of a month.

An impossible date (month 13, February 31) is left to the number rules.
"""

import calendar
import re

from latentspeech.text.normalizer.dates.months_and_days import MONTH, MONTHS
from latentspeech.text.normalizer.numbers.number_words import ordinal, year

_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(\d{4})(?!\d|,\d)"
_ISO = re.compile(r"(?<![\w/.-])(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?![\d/-])(T(?=\d))?")
_SLASHED = re.compile(r"(?<![\w/.-])(\d{1,2})([-/])(\d{1,2})\2(\d{4}|\d{2})(?![\w/-])")
_DOTTED = re.compile(r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.(\d{4})(?![\w]|\.\d)")
# A month and a day without a year look like a fraction; only these words make them a date.
_NO_YEAR = re.compile(
    r"\b((?:[Oo]n|[Bb]y|[Dd]ue|[Uu]ntil|[Ss]ince|[Dd]ated)\s)(?!9/11)(1[0-2]|0?[1-9])/(\d{1,2})(?![\w/]|\.\d|\sof\b)"
)
_MONTH_DAY = re.compile(
    rf"\b({MONTH})\s{_DAY}(?!\d|[.:]\d|,\d{{3}}\D|%|\s?[ap]\.?m\b)(?:\s?-\s?{_DAY}(?!\d))?(?:,?\s{_YEAR})?"
)
_DAY_MONTH = re.compile(
    rf"(?<![\w.,-])(the\s)?(?:{_DAY}\s?-\s?)?{_DAY}(?:\sof)?\s({MONTH})\b(?:,?\s{_YEAR})?"
)


def read_dates(text: str) -> str:
    """'2024-03-05' -> 'March fifth, twenty twenty-four'; '5/3/2024' is May third (US)."""
    text = _ISO.sub(lambda m: _date(m, m[1], m[3], m[4]) + (" " if m[5] else ""), text)
    text = _SLASHED.sub(lambda m: _date(m, m[4], m[1], m[3]), text)
    text = _DOTTED.sub(lambda m: _date(m, m[3], m[2], m[1]), text)
    text = _NO_YEAR.sub(_read_without_year, text)
    text = _MONTH_DAY.sub(_read_month_day, text)
    return _DAY_MONTH.sub(_read_day_month, text)


def spoken_date(years: str, months: str, days: str) -> str | None:
    """'2024', '3', '5' -> 'March fifth, twenty twenty-four'; None if there is no such day."""
    number = int(years)
    if len(years) == 2:
        number += 2000 if number < 70 else 1900
    if number < 1 or not 1 <= int(months) <= 12:
        return None
    if not 1 <= int(days) <= calendar.monthrange(number, int(months))[1]:
        return None
    return f"{MONTHS[int(months) - 1]} {ordinal(days)}, {year(str(number))}"


def _date(match: re.Match[str], years: str, months: str, days: str) -> str:
    if int(months) > 12 >= int(days):  # 25/12/2024: written day first
        months, days = days, months
    return spoken_date(years, months, days) or match[0]


def _read_without_year(match: re.Match[str]) -> str:
    month, day = int(match[2]), int(match[3])
    if not 1 <= day <= calendar.monthrange(2024, month)[1]:
        return match[0]
    return f"{match[1]}{MONTHS[month - 1]} {ordinal(str(day))}"


def _read_month_day(match: re.Match[str]) -> str:
    month, first, last, years = match[1], match[2], match[3], match[4]
    if not all(1 <= int(day) <= 31 for day in (first, last or first)):
        return match[0]
    span = f" to {ordinal(last)}" if last else ""
    return f"{month} {ordinal(first)}{span}" + (f", {year(years)}" if years else "")


def _read_day_month(match: re.Match[str]) -> str:
    first, day, month, years = match[2], match[3], match[4], match[5]
    if not all(1 <= int(number) <= 31 for number in (day, first or day)):
        return match[0]
    span = f"{ordinal(first)} to {ordinal(day)}" if first else ordinal(day)
    return f"the {span} of {month}" + (f", {year(years)}" if years else "")
