"""Reads letters with dots: 'U.S.', 'J. R. R. Tolkien'; the dot of a sentence's end stays."""

import re

from latentspeech.text.normalizer.words.abbreviations import STARTER, STARTERS

_INITIALS = re.compile(r"(?<![\w.])((?:[A-Za-z]\.){2,8})(?!\w)")
INITIAL = re.compile(rf"(?<![\w.])(?<![A-Z]\s)([A-HJ-Z])\.(?=\s[A-Z])(?!\s(?:{STARTERS})\b)")
# After these a letter is the name of a thing, so its dot ends a sentence: 'vitamin A. Take it'.
_NAMED = re.compile(
    r"\b(?:vitamin|plan|grade|option|hepatitis|letter|type|answer|[Tt]eam|exhibit|an?|the) [A-Z]\.$"
)
_LOOK_BACK = 16
_NEVER_ENDING = frozenset(("A", "I", "An"))


def read_initials(text: str) -> str:
    """'U.S.A.' -> 'U S A', 'J. Smith' -> 'J Smith'."""
    text = _INITIALS.sub(_read_initials, text)
    return INITIAL.sub(lambda m: m[1] if is_initial(m) else m[0], text)


def is_initial(match: re.Match[str]) -> bool:
    """Whether a match of INITIAL stands for a name, and is no letter that ends its sentence."""
    start = max(0, match.start() - _LOOK_BACK)
    return _NAMED.search(match.string[start : match.end()]) is None


def ends_after_initials(rest: str) -> bool:
    """Whether `rest`, which stands after 'U.S.', begins a sentence: 'It was fun', not 'Army'."""
    starter = STARTER.match(rest.lstrip("'\"\u201c\u2018( "))
    return starter is not None and starter[0] not in _NEVER_ENDING


def _read_initials(match: re.Match[str]) -> str:
    letters = match[1].replace(".", " ").strip().upper()
    rest = match.string[match.end() : match.end() + 12]
    ends = not rest.strip("'\") ") or (rest[:1] in " '\")" and ends_after_initials(rest))
    return letters + ("." if ends else "")
