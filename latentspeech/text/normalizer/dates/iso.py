"""Reads the dates and times of computers: time stamps, years with a month, seasons of two years.

'2024-01' is January 2024, but '2023-24' is a season, as '2011-12' is, because the second year
follows the first; '1990-95' are the years from one to the other.
"""

import re

from latentspeech.text.normalizer.dates.dates import spoken_date
from latentspeech.text.normalizer.dates.months_and_days import MONTHS
from latentspeech.text.normalizer.numbers.number_words import cardinal, digits, year

_STAMP = re.compile(
    r"(?<![\w/.-])(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-4]):([0-5]\d)(?::([0-5]\d)(?:[.,](\d{1,9}))?)?"
    r"(Z|[+-]\d\d(?::?\d\d)?)?(?![\w:-])"
)
_YEAR_PAIR = re.compile(
    r"(?<![\w$\u00a3\u20ac#.,/-])((?:1[1-9]|20)\d\d)([/-])(\d\d)(?![\w/-]|[.,]\d)"
)

_MONTH_YEAR = re.compile(r"(?<![\w$.,/-])(0?[1-9]|1[0-2])/((?:19|20)\d\d)(?![\w/-]|[.,]\d)")


def read_iso_dates(text: str) -> str:
    """'2024-09-28T14:30:00Z' -> 'September twenty-eighth, ..., fourteen thirty, U T C'."""
    text = _YEAR_PAIR.sub(_read_year_pair, _STAMP.sub(_read_stamp, text))
    return _MONTH_YEAR.sub(lambda m: f"{MONTHS[int(m[1]) - 1]} {year(m[2])}", text)


def _read_stamp(match: re.Match[str]) -> str:
    date = spoken_date(match[1], match[2], match[3])
    if date is None:
        return match[0]
    hour, minute, second, fraction, zone = match.group(4, 5, 6, 7, 8)
    parts = [f"{date}, {cardinal(str(int(hour)))} {_minutes(minute)}"]
    if second and (second != "00" or (fraction or "").strip("0")):
        part = f" point {digits(fraction)}" if fraction and fraction.strip("0") else ""
        parts.append(f"{cardinal(str(int(second)))}{part} seconds")
    if zone == "Z":
        parts.append("U T C")
    elif zone:
        sign = "plus" if zone[0] == "+" else "minus"
        half = f" {cardinal(zone[-2:])}" if len(zone) > 3 and zone[-2:] != "00" else ""
        parts.append(f"U T C {sign} {cardinal(str(int(zone[1:3])))}{half}")
    return ", ".join(parts)


def _minutes(minute: str) -> str:
    if minute == "00":
        return "hundred"
    return f"oh {cardinal(minute[1])}" if minute[0] == "0" else cardinal(minute)


def _read_year_pair(match: re.Match[str]) -> str:
    first, sign, last = match[1], match[2], match[3]
    start = int(first) % 100
    is_season = int(last) == (start + 1) % 100
    if not is_season and 1 <= int(last) <= 12:
        return f"{MONTHS[int(last) - 1]} {year(first)}"
    if is_season or (int(last) > start and sign == "-"):
        return f"{year(first)} to {cardinal(last) if last[0] != '0' else 'oh-' + cardinal(last[1])}"
    return match[0]
