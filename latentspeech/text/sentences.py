"""Splits text into sentences short enough to be spoken in one go.

It works on written and on normalised text. A sentence ends at `. ? !` or a blank line, but not
after an abbreviation ("Mr.") or an initial ("J. Smith"), inside a number or before a small letter.
A number that begins a sentence is written in small letters once it is normalised, so a full stop
before it ends a sentence.
A sentence longer than `max_chars` is split after `; : ,`, then between words; a longer word is
split too.
"""

import logging
import re
from collections.abc import Iterable

from latentspeech.core.errors import ConfigError
from latentspeech.text.normalizer.normalizer import NormalizedText
from latentspeech.text.normalizer.punctuation import tidy
from latentspeech.text.normalizer.words.abbreviations import (
    DOTTED_ABBREVIATIONS,
    SENTENCE_ENDING_ABBREVIATIONS,
)
from latentspeech.text.normalizer.words.initials import INITIAL, ends_after_initials, is_initial

_END = re.compile(
    r"(?<![.?!\u2026])[.?!\u2026]+[\"'\u2019\u201d)\]]*\s+"
    r"|[\u3002\uff01\uff1f]+[\"'\u2019\u201d)\]]*\s*"
    r"|(?<!\s)[^\S\n]*\n[^\S\n]*\n\s*"
)
_LAST_WORD = re.compile(r"(?<![\w.])([A-Za-z][\w.]{0,12})\.$")
_DOTTED_INITIALS = re.compile(r"(?:[A-Za-z]\.)+[A-Za-z]")
_CLAUSE = re.compile(r"(?<=[;:,])\s+")
_NUMBER_WORD = re.compile(
    r"(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|"
    r"(?:thir|four|fif|six|seven|eigh|nine)teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty)\b"
)

logger = logging.getLogger(__name__)


def split_sentences(text: str, max_chars: int) -> list[str]:
    """The pieces of `text` in order, each at most `max_chars` long and with a word in it.

    Joined with spaces they hold every word of `text`. A piece without a letter or digit (a lone
    dash) joins the piece before it where it fits; else it is skipped, and a warning says so.
    """
    if max_chars < 1:
        raise ConfigError(f"max_chars = {max_chars}; expected at least 1")
    pieces: list[str] = []
    skipped: list[str] = []
    for sentence in _sentences(text):
        for piece in _cut(sentence, max_chars):
            if any(c.isalnum() for c in piece):
                pieces.append(piece)
            elif pieces and len(pieces[-1]) + 1 + len(piece) <= max_chars:
                pieces[-1] += " " + piece
            else:
                skipped.append(piece)
    if skipped:
        logger.warning(
            "parts of the text without a letter or digit are not spoken: %d, the first %r",
            len(skipped),
            skipped[0][:40],
        )
    return pieces


def split_normalized(text: NormalizedText, max_chars: int) -> list[NormalizedText]:
    """The pieces of a normalised text, each a normalised text of its own.

    Punctuation that cannot begin or end a text, such as the comma at a split, is left out.
    """
    return [NormalizedText(tidy(piece)) for piece in split_sentences(text, max_chars)]


def _sentences(text: str) -> Iterable[str]:
    initials = {match.end() for match in INITIAL.finditer(text) if is_initial(match)}
    start = 0
    for match in _END.finditer(text):
        if _is_end(text, match, initials):
            yield " ".join(text[start : match.end()].split())
            start = match.end()
    yield " ".join(text[start:].split())


def _is_end(text: str, match: re.Match[str], initials: set[int]) -> bool:
    mark = match[0].strip()
    if not mark or match.end() == len(text):
        return True
    following = text[match.end() : match.end() + 2].lstrip("\"'(\u201c\u2018")
    if following[:1].islower():
        return mark == "." and _NUMBER_WORD.match(text, match.end()) is not None
    if match.start() + 1 in initials:
        return False
    if mark[0] != "." or mark.startswith(".."):
        return True
    word = _LAST_WORD.search(text[max(0, match.start() - 16) : match.start() + 1])
    if word is None:
        return True
    name = word[1].lower()
    if _DOTTED_INITIALS.fullmatch(word[1]):  # "U.S. Army", but "at 3 p.m. They"
        return name in ("a.m", "p.m") or ends_after_initials(text[match.end() :][:16])
    if name == "no":  # "No. 5", but "No. That is all."
        return not following[:1].isdigit()
    return name not in DOTTED_ABBREVIATIONS or name in SENTENCE_ENDING_ABBREVIATIONS - {"st"}


def _cut(sentence: str, max_chars: int) -> list[str]:
    if len(sentence) <= max_chars:
        return [sentence] if sentence else []
    pieces: list[str] = []
    for clause in _CLAUSE.split(sentence):
        words = [clause] if len(clause) <= max_chars else clause.split(" ")
        _pack((part for word in words for part in _slices(word, max_chars)), max_chars, pieces)
    return pieces


def _pack(parts: Iterable[str], max_chars: int, pieces: list[str]) -> None:
    """Appends `parts` to the last piece while they fit, else begins a new one."""
    for part in parts:
        if pieces and len(pieces[-1]) + 1 + len(part) <= max_chars:
            pieces[-1] += " " + part
        else:
            pieces.append(part)


def _slices(word: str, max_chars: int) -> list[str]:
    return [word[i : i + max_chars] for i in range(0, len(word), max_chars)]
