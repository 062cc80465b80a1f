"""Reads dates and times of day: ISO, US slashes, month names, 12- and 24-hour clocks, ratios.

An impossible date (month 13, February 31) is left to the number rules.
"""

import calendar
import re

from latentspeech.text.normalizer.numbers import cardinal, ordinal, year

_MONTHS = list(calendar.month_name)[1:]
_SHORT = {name[:3]: name for name in _MONTHS} | {"Sept": "September"}
_WEEKDAYS = {
    "Mon": "Monday",
    "Tue": "Tuesday",
    "Tues": "Tuesday",
    "Wed": "Wednesday",
    "Thu": "Thursday",
}
_WEEKDAYS |= {
    "Thur": "Thursday",
    "Thurs": "Thursday",
    "Fri": "Friday",
    "Sat": "Saturday",
    "Sun": "Sunday",
}
_MONTH = f"({'|'.join(_MONTHS)})"
_SHORT_MONTH = re.compile(rf"\b({'|'.join(_SHORT)})(?:\.(?=\s|,|$)|(?=\s\d))")
_WEEKDAY = re.compile(rf"\b({'|'.join(_WEEKDAYS)})\.?(?=,?\s(?:{'|'.join(_MONTHS)}|\d))")
_DAY = r"(\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(\d{4})(?!\d|,\d)"
_ISO = re.compile(r"(?<![\w/.-])(\d{4})([-/])(\d{1,2})\2(\d{1,2})(?![\d/-])(T(?=\d))?")
_SLASHED = re.compile(r"(?<![\w/.-])(\d{1,2})([-/])(\d{1,2})\2(\d{4}|\d{2})(?![\w/-])")
_DOTTED = re.compile(r"(?<![\w.])(\d{1,2})\.(\d{1,2})\.(\d{4})(?![\w]|\.\d)")
_MONTH_DAY = re.compile(
    rf"\b{_MONTH}\s{_DAY}(?!\d|[.:]\d|,\d{{3}}\D|%)(?:\s?-\s?{_DAY}(?!\d))?(?:,?\s{_YEAR})?"
)
_DAY_MONTH = re.compile(rf"(?<![\w.,-])(the\s)?{_DAY}(?:\sof)?\s{_MONTH}\b(?:,?\s{_YEAR})?")


def read_dates(text: str) -> str:
    """'2024-03-05' -> 'March fifth, twenty twenty-four'; '5/3/2024' is May third (US)."""
    text = _SHORT_MONTH.sub(lambda m: _SHORT[m[1]], text)
    text = _WEEKDAY.sub(lambda m: _WEEKDAYS[m[1]], text)
    text = _ISO.sub(lambda m: _date(m, m[1], m[3], m[4]) + (" " if m[5] else ""), text)
    text = _SLASHED.sub(lambda m: _date(m, m[4], m[1], m[3]), text)
    text = _DOTTED.sub(lambda m: _date(m, m[3], m[2], m[1]), text)
    text = _MONTH_DAY.sub(_read_month_day, text)
    return _DAY_MONTH.sub(_read_day_month, text)


def _date(match: re.Match[str], years: str, months: str, days: str) -> str:
    if int(months) > 12 >= int(days):  # 25/12/2024: written day first
        months, days = days, months
    number = int(years)
    if len(years) == 2:
        number += 2000 if number < 70 else 1900
    if number < 1 or not 1 <= int(months) <= 12:
        return match[0]
    if not 1 <= int(days) <= calendar.monthrange(number, int(months))[1]:
        return match[0]
    return f"{_MONTHS[int(months) - 1]} {ordinal(days)}, {year(str(number))}"


def _read_month_day(match: re.Match[str]) -> str:
    month, first, last, years = match[1], match[2], match[3], match[4]
    if not all(1 <= int(day) <= 31 for day in (first, last or first)):
        return match[0]
    span = f" to {ordinal(last)}" if last else ""
    return f"{month} {ordinal(first)}{span}" + (f", {year(years)}" if years else "")


def _read_day_month(match: re.Match[str]) -> str:
    day, month, years = match[2], match[3], match[4]
    if not 1 <= int(day) <= 31:
        return match[0]
    return f"the {ordinal(day)} of {month}" + (f", {year(years)}" if years else "")


_HALF = r"\s?([aApP])(?:\.\s?[mM]\.?|[mM])(?![A-Za-z0-9])"
_CLOCK_RANGE = re.compile(r"(?<=[\dmM])\.?\s?-\s?(?=\d{1,2}:\d\d(?!\d))")
_CLOCK = re.compile(
    rf"(?<![\d:.,])([01]?\d|2[0-4]):([0-5]\d)(?::([0-5]\d))?(?![\d:]|\.\d)(?:{_HALF})?"
)
_HOUR = re.compile(rf"(?<=\d){_HALF}")
_RATIO = re.compile(r"(?<=\d)\s?:\s?(?=\d)")


def read_times(text: str) -> str:
    """'3:45 pm' -> 'three forty-five P M', '15:30' -> 'fifteen thirty', '16:9' -> '16 to 9'."""
    text = _CLOCK_RANGE.sub(" to ", text)
    text = _CLOCK.sub(_read_clock, text)
    text = _HOUR.sub(_read_half, text)
    return _RATIO.sub(" to ", text)


def _read_clock(match: re.Match[str]) -> str:
    hour, minute, second, half = match[1], match[2], match[3], match[4]
    words = cardinal(str(int(hour)))
    if minute != "00":
        words += f" oh {cardinal(minute[1])}" if minute[0] == "0" else f" {cardinal(minute)}"
    elif not half and not second:
        words += " o'clock" if 1 <= int(hour) <= 12 else " hundred"
    if second:
        words += f" and {cardinal(str(int(second)))} seconds"
    return words + (_read_half(match, half) if half else "")


def _read_half(match: re.Match[str], half: str | None = None) -> str:
    """' P M'; the dot of 'p.m.' stays where it also ends the sentence."""
    rest = match.string[match.end() :][:3].lstrip("'\") ")
    ends = match[0].endswith(".") and (not rest or rest[0].isupper())
    return f" {(half or match[1]).upper()} M" + ("." if ends else "")
