"""Reads letters with dots: 'U.S.', 'J. R. R. Tolkien'; the dot of a sentence's end stays."""

import re

from latentspeech.text.normalizer.words.abbreviations import STARTER, STARTERS

_INITIALS = re.compile(r"(?<![\w.])((?:[A-Za-z]\.){2,8})(?!\w)")
INITIAL = re.compile(rf"(?<![\w.])(?<![A-Z]\s)([A-HJ-Z])\.(?=\s[A-Z])(?!\s(?:{STARTERS})\b)")
_NEVER_ENDING = frozenset(("A", "I", "An"))


def read_initials(text: str) -> str:
    """'U.S.A.' -> 'U S A', 'J. Smith' -> 'J Smith'."""
    return INITIAL.sub(r"\1", _INITIALS.sub(_read_initials, text))


def ends_after_initials(rest: str) -> bool:
    """Whether `rest`, which stands after 'U.S.', begins a sentence: 'It was fun', not 'Army'."""
    starter = STARTER.match(rest.lstrip("'\"\u201c\u2018( "))
    return starter is not None and starter[0] not in _NEVER_ENDING


def _read_initials(match: re.Match[str]) -> str:
    letters = match[1].replace(".", " ").strip().upper()
    rest = match.string[match.end() : match.end() + 12]
    ends = not rest.strip("'\") ") or (rest[:1] in " '\")" and ends_after_initials(rest))
    return letters + ("." if ends else "")
