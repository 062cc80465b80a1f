"""Reads years before 1100, which without a word like 'in' or 'AD' beside them are plain numbers."""

import re

from latentspeech.text.normalizer.numbers.number_words import year
from latentspeech.text.normalizer.numbers.numerals import is_counted

_ERA = r"(?:A D|B C E?|C E)"
_THOUSANDS = re.compile(
    r"\b((?:[Ii]n|[Bb]y|[Ss]ince|[Uu]ntil|[Bb]efore|[Aa]fter|[Ff]rom|[Aa]round|[Bb]etween|[Cc]irca|"
    r"[Yy]ear|[Ll]ate|[Ee]arly)\s)(10\d\d)(?![\d%]|[.,:/]\d)(?:(\s?-\s?|\sto\s|\sand\s|\suntil\s)(1\d{3})(?![\d%]|[.,:/]\d))?"
)
_HUNDREDS = re.compile(r"(?:^|(?<=[.?!] ))(In )(\d{3})(?=, | (?:the|a|an)\b| [A-Z][a-z])")
_BEFORE_ERA = re.compile(rf"(?<![\w.,])(\d{{3,4}})(?=\s{_ERA}\b)")
_AFTER_ERA = re.compile(r"\b(A D )(\d{3,4})(?![\w,.]\d|\d)")


def read_early_years(text: str) -> str:
    """'In 1066' -> 'In ten sixty-six', '476 A D' -> 'four seventy-six A D'."""
    text = _THOUSANDS.sub(_read_thousands, text)
    text = _HUNDREDS.sub(lambda m: m[1] + year(m[2]), text)
    text = _BEFORE_ERA.sub(lambda m: year(m[1]) if m[1][0] != "0" else m[0], text)
    return _AFTER_ERA.sub(lambda m: m[1] + (year(m[2]) if m[2][0] != "0" else m[2]), text)


def _read_thousands(match: re.Match[str]) -> str:
    if is_counted(match.string, match.end()):
        return match[0]
    until = match[3] or ""
    last = (" to " if "-" in until else until) + year(match[4]) if match[4] else ""
    return match[1] + year(match[2]) + last
