"""Reads telephone numbers digit by digit, a comma between the groups that they are written in."""

import re

from latentspeech.text.normalizer.numbers.number_words import digit_groups, digits

_PHONE = re.compile(
    r"(?<![\w.,-])(\+?\d{1,3}[ .-])?(?:\((\d{3})\) ?|(\d{3})[ .-])(\d{3})[ .-](\d{4})(?![\w-]|\.\d)"
)
_LOCAL = re.compile(r"(?<![\w.,-])(\d{3})-(\d{4})(?![\w-]|[.,]\d)")
_INTERNATIONAL = re.compile(r"(?<!\w)\+\d{1,3}(?:[ .-]?\(?\d{1,5}\)?){2,6}(?!\w)")
_FROM_ZERO = re.compile(
    r"(?<![\w.,-])(?:\(0\d{1,4}\) ?|0\d{1,4}[ .-])\d{2,8}(?:[ .-]\d{2,6}){0,4}(?![\w-]|[.,:/]\d)"
)
_NAMED = re.compile(
    r"\b((?:[Cc]all|[Pp]hone|[Tt]elephone|[Ff]ax|[Dd]ial|[Tt]ext|[Mm]obile)\b[.:]?\s"
    r"(?:(?:us|me|him|her|them|number|at|on|is)\s){0,3})"
    r"(\d{5,15}|\d{2,5}(?:[ -]\d{2,6}){1,4})(?![\w-]|[.,:/]\d)"
)
_TELEPHONE = re.compile(r"\b([Tt])el\b[.:]*\s?(?=[+(]?\d)")
_EXTENSION = re.compile(r"\b([Ee])xt\b\.?(?=\s?\d)")
_MIN_DIGITS, _MAX_DIGITS = 7, 13
_MIN_NAMED = 5
# Three digits that people dial: said one by one after a verb of calling or before 'call'.
_EMERGENCY = re.compile(
    r"\b((?:[Cc]all(?:s|ed|ing)?|[Dd]ial(?:s|ed|ing)?|[Pp]hon(?:e|es|ed|ing)|[Rr]ing|[Rr]ang|[Tt]ext(?:ed)?)\s)"
    r"([2-9]11|112|999|988|000|111|101)\b(?![.,:/-]\d)(?:(\s(?:or|and)\s)([2-9]11|112|999|988)\b)?"
)
_EMERGENCY_CALL = re.compile(
    r"\b(911|112|999)(?=[\s-](?:calls?|caller|callers|operators?|dispatchers?|emergency|number|service|system)\b)"
)
_DIALLED = re.compile(r"\b([Dd]ial(?:ed|ing)?\s|[Ee]xtension\s)(\d{2,6})\b(?![.,:/-]\d)")
_VANITY = re.compile(r"(?<![\w-])(1-)?(8\d\d)-([A-Z]{3,}(?:-[A-Z]+)?|\d{3}-[A-Z]{4})(?![\w-])")


def read_phones(text: str) -> str:
    """'(555) 123-4567' -> 'five five five, one two three, four five six seven'."""
    text = _TELEPHONE.sub(r"\1elephone ", _EXTENSION.sub(r"\1xtension", text))
    text = _PHONE.sub(_read_phone, text)
    text = _INTERNATIONAL.sub(lambda m: "plus " + digit_groups(m[0]), text)
    text = _FROM_ZERO.sub(
        lambda m: digit_groups(m[0]) if _MIN_DIGITS <= _count(m[0]) <= _MAX_DIGITS else m[0], text
    )
    text = _NAMED.sub(
        lambda m: m[1] + digit_groups(m[2]) if _count(m[2]) >= _MIN_NAMED else m[0], text
    )
    text = _EMERGENCY.sub(
        lambda m: m[1] + digits(m[2]) + (m[3] + digits(m[4]) if m[4] else ""), text
    )
    text = _EMERGENCY_CALL.sub(lambda m: digits(m[1]), text)
    text = _DIALLED.sub(lambda m: m[1] + digits(m[2]), text)
    text = _VANITY.sub(_read_vanity, text)
    return _LOCAL.sub(lambda m: digit_groups(m[0]), text)


def _read_phone(match: re.Match[str]) -> str:
    plus = "plus " if (match[1] or "").startswith("+") else ""
    return plus + digit_groups(match[0])


def _count(number: str) -> int:
    return sum(map(str.isdigit, number))


def _read_vanity(match: re.Match[str]) -> str:
    """'1-800-FLOWERS' -> 'one eight hundred FLOWERS'."""
    hundred = "eight hundred" if match[2] == "800" else digits(match[2])
    rest = match[3].replace("-", " ")
    return ("one " if match[1] else "") + f"{hundred} {rest}"
