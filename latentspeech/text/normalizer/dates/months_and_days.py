"""The names of months and weekdays, their short forms written out, and ranges of either."""

import calendar
import re

MONTHS = tuple(calendar.month_name)[1:]
_SHORT_MONTHS = {name[:3]: name for name in MONTHS} | {"Sept": "September"}
_SHORT_DAYS = {name[:3]: name for name in calendar.day_name}
_SHORT_DAYS |= {"Tues": "Tuesday", "Thur": "Thursday", "Thurs": "Thursday"}
_NAMES = _SHORT_MONTHS | _SHORT_DAYS
MONTH = f"(?:{'|'.join(MONTHS)})"
_SHORT_MONTH = "|".join(sorted(_SHORT_MONTHS, key=len, reverse=True))
_SHORT_DAY = "|".join(sorted(_SHORT_DAYS, key=len, reverse=True))
_STARTERS = r"(?:The|He|She|It|They|We|You|I|This|That|There|But|And|Then)\b"

_MONTH_BEFORE_DOT = re.compile(rf"\b({_SHORT_MONTH})\.(?=\s(?={_STARTERS}))")
_MONTH_ALONE = re.compile(rf"\b({_SHORT_MONTH})(?:\.(?=\s|,|$)|(?=\s'?\d))")
_DAY_BEFORE_MONTH = re.compile(rf"(?<=\d )({_SHORT_MONTH})\b\.?(?!\s[a-z]*\.)")
_WEEKDAY = re.compile(rf"\b({_SHORT_DAY})\.?(?=,?\s(?:{'|'.join(MONTHS)}|\d))")


def _names(short: str, full: tuple[str, ...]) -> str:
    return rf"(?:{'|'.join(full)}|(?:{short})\b\.?)"


_ANY_DAY = _names(_SHORT_DAY, tuple(calendar.day_name))
_ANY_MONTH = _names(_SHORT_MONTH, MONTHS)
_SPAN = re.compile(
    rf"(?<![\w-])({_ANY_DAY})\s?-\s?({_ANY_DAY})(?![\w-])"
    rf"|(?<![\w-])({_ANY_MONTH})\s?-\s?({_ANY_MONTH})(?![\w-])"
)
_UNTIL_MONTH = re.compile(
    rf"(?<=\d)\s?-\s?(?={_ANY_MONTH}(?![\w-]))|(?<=\d{{4}})\s?-\s?(?=\d{{1,2}} {_ANY_MONTH})"
)
_DAY_LIST = re.compile(rf"(?<![\w/])(?:{_ANY_DAY})(?:/(?:{_ANY_DAY}))+(?![\w/])")


def read_month_and_day_names(text: str) -> str:
    """'Mon-Fri' -> 'Monday to Friday', 'May 3-Jun 2' -> 'May 3 to June 2', '3 Sept' -> ..."""
    text = _SPAN.sub(lambda m: f"{_full(m[1] or m[3])} to {_full(m[2] or m[4])}", text)
    text = _UNTIL_MONTH.sub(" to ", text)
    text = _DAY_LIST.sub(lambda m: ", ".join(map(_full, m[0].split("/"))), text)
    text = _MONTH_BEFORE_DOT.sub(lambda m: _SHORT_MONTHS[m[1]] + ".", text)
    text = _MONTH_ALONE.sub(lambda m: _SHORT_MONTHS[m[1]], text)
    text = _DAY_BEFORE_MONTH.sub(_read_month_after_day, text)
    return _WEEKDAY.sub(lambda m: _SHORT_DAYS[m[1]], text)


def _full(name: str) -> str:
    return _NAMES.get(name.rstrip("."), name)


def _read_month_after_day(match: re.Match[str]) -> str:
    """'29 Feb.' at the end of a sentence keeps its dot."""
    rest = match.string[match.end() : match.end() + 3].lstrip("'\")")
    ends = match[0].endswith(".") and (not rest.strip() or rest.lstrip()[0].isupper())
    return _SHORT_MONTHS[match[1]] + ("." if ends else "")
