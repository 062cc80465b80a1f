"""Restores the case of texts that are wholly upper case, like LibriSpeech's and other transcripts.

The capitals of such a text carry no meaning, but the other rules read capitals as names after a
title, as acronyms and as Roman numerals. So the text is put into usual case, as far as that is
possible without a dictionary of names: small letters, and capitals where a sentence begins, in "I",
in single letters, in acronyms that are spelled (BBC, FBI), in Roman numerals, and in titles and the
word after them.
"""

import re

from latentspeech.text.normalizer.acronyms import (
    is_consonants,
    is_known_acronym,
    is_only_an_acronym,
)
from latentspeech.text.normalizer.words.abbreviations import TITLES

_WORD = re.compile(r"(?<!\w)[^\W\d_]+(?:'[^\W\d_]+)*")
_ROMAN = re.compile(r"[IVX]{2,8}")
_START = re.compile(r"(?:^|(?<=[.?!])|(?<=[.?!][\"')]))\W*[^\W\d_]")
# Titles that are written without a dot as well; without one the others ("REP", "COL") may be words.
_UNDOTTED_TITLES = frozenset(
    ("mr", "mrs", "ms", "messrs", "dr", "st", "lt", "sgt", "mt", "ft", "cmdr", "capt", "prof")
)
_GAP = re.compile(r"\w\W*[\s-]\W*\w")
_MIN_WORD_LETTERS = 3


def restore_case(text: str) -> str:
    """'MEET DR B AT TEN' -> 'Meet Dr B at ten'; a text with a small letter stays as it is."""
    if not is_all_capitals(text):
        return text
    matches = list(_WORD.finditer(text))
    words = [match[0] for match in matches]
    wanted = [_small(words, place) for place in range(len(words))]
    for place, match in enumerate(matches):
        if _is_title(match):
            wanted[place] = words[place].capitalize()
            # "ELM ST" and "12 MAIN ST. IS NEAR", but "ST JOHN"
            is_last = place + 1 == len(words)
            is_address = place > 0 and text[: matches[place - 1].start()].rstrip()[-1:].isdigit()
            beside = place - 1 if is_last or is_address else place + 1
            if 0 <= beside < len(words):
                wanted[beside] = wanted[beside][:1].upper() + wanted[beside][1:]
        elif place and _ROMAN.fullmatch(words[place]):
            wanted[place - 1] = words[place - 1].capitalize()
    spelled = iter(wanted)
    return _START.sub(lambda match: match[0].upper(), _WORD.sub(lambda _: next(spelled), text))


def is_all_capitals(text: str) -> bool:
    """Whether a text of several words has no small letter though one of them is a plain word.

    'THE CAT SAT' is; 'NASA', 'the FBI', 'F B I', 'BBC TV' and 'ASP.NET' are not.
    """
    if any(character.islower() for character in text) or not _GAP.search(text):
        return False
    words = [word for word in _WORD.findall(text) if len(word) > 1]
    return len(words) > 1 and any(map(_is_plain_word, words))


def _is_plain_word(word: str) -> bool:
    return (
        len(word) >= _MIN_WORD_LETTERS
        and not is_consonants(word)
        and not is_known_acronym(word)
        and not _ROMAN.fullmatch(word)
    )


def _small(words: list[str], place: int) -> str:
    """The word in small letters, unless it has capitals even within a sentence."""
    word = words[place]
    if word == "A":
        beside = words[max(0, place - 1) : place] + words[place + 1 : place + 2]
        is_letter = any(len(other) == 1 and other not in "AIO" for other in beside)
        return word if is_letter else "a"
    is_letters = len(word) == 1 or is_consonants(word) or is_only_an_acronym(word)
    if is_letters or _ROMAN.fullmatch(word):
        return word
    return "I" + word[1:].lower() if word.startswith("I'") else word.lower()


def _is_title(match: re.Match[str]) -> bool:
    name = match[0].lower()
    dotted = match.string[match.end() : match.end() + 1] == "."
    return name in _UNDOTTED_TITLES or (dotted and name in TITLES)
