"""Finds which written word each spoken word comes from: "$5.50" is five dollars and fifty cents.

Most words are spoken as they are written, so both lists are walked together. Where they differ, the
nearest place is sought at which they agree again. The written words in between are normalised one
by one, and what is spoken there is divided among them by what they have in common.
"""

from collections.abc import Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

from latentspeech.text.normalizer import normalize

_MOST_SKIPPED = 200  # words of both lists between two places where they agree
_MOST_COMPARED = 1_000_000  # pairs of words


class Owners(NamedTuple):
    """Where spoken words come from, by places in the list of written words."""

    of_spoken: list[int]  # for each spoken word its written word, in rising order
    joined: set[int]  # written words that are spoken with the one before: "million" in "$5 million"


def word_owners(read: Sequence[str], spoken: Sequence[str]) -> Owners:
    """Returns the written word that each spoken word belongs to.

    Args:
        read: what is read for each written word, one or more words with a space between.
        spoken: the words of the normalised text, which may lack some written words.
    """
    written = [[core(word) for word in words.split() if core(word)] for words in read]
    heard = [core(word) for word in spoken]
    owners: list[int] = []
    joined: set[int] = set()
    place = 0
    while len(owners) < len(heard):
        done = len(owners)
        if place < len(written) and _agree(written, place, heard, done):
            owners += [place] * len(written[place])
            place += 1
            continue
        skipped, between = _next_agreement(written, place, heard, done)
        part = heard[done : done + between]
        found = _divide(read, place, skipped, part)
        if found:
            left = {*range(place, place + skipped)} - {*found}
            joined.update(number for number in left if _may_be_in(read[number], part))
        owners += found
        place += skipped
    return Owners(owners, joined)


def core(word: str) -> str:
    """Returns the letters and digits of a word, in small letters."""
    return "".join(sign for sign in word.casefold() if sign.isalnum())


def _agree(written: list[list[str]], place: int, heard: list[str], start: int) -> bool:
    own = written[place]
    return bool(own) and heard[start : start + len(own)] == own


def _next_agreement(
    written: list[list[str]], place: int, heard: list[str], start: int
) -> tuple[int, int]:
    """Returns how many written and spoken words to skip until two words in a row agree.

    At the end of both lists one word is enough; without such a place all words are skipped.
    """
    left, rest = len(written) - place, len(heard) - start
    for total in range(1, left + rest):
        # Far away only one list is skipped, such as a page in another script.
        near = total <= _MOST_SKIPPED
        for skipped in range(min(total, left) + 1) if near else (0, total):
            i, j = place + skipped, start + total - skipped
            if i >= len(written) or j >= len(heard) or not _agree(written, i, heard, j):
                continue
            after = j + len(written[i])
            is_end = i + 1 == len(written) and after == len(heard)
            if is_end or (i + 1 < len(written) and _agree(written, i + 1, heard, after)):
                return skipped, total - skipped
    return left, rest


def _divide(read: Sequence[str], place: int, count: int, heard: list[str]) -> list[int]:
    """Returns the owners of spoken words among `count` written words from `place` on."""
    if not heard:
        return []
    if count == 0:
        return [max(0, min(place - 1, len(read) - 1))] * len(heard)
    if count == 1:
        return [place] * len(heard)
    if count * len(heard) > _MOST_COMPARED:
        return [place + k * count // len(heard) for k in range(len(heard))]
    alone = [(word, place + k) for k in range(count) for word in _read_alone(read[place + k])]
    owners: list[int] = []
    matcher = SequenceMatcher(None, [word for word, _ in alone], heard, autojunk=False)
    for _, first, last, start, end in matcher.get_opcodes():
        length = end - start
        if last > first:
            owners += [alone[first + k * (last - first) // length][1] for k in range(length)]
        else:  # a word that only the whole text has goes to the word before it
            owners += [owners[-1] if owners else place] * length
    return [place, *owners[1:]]  # so that what precedes the first owner is not lost: "EUR 30"


def _may_be_in(words: str, heard: list[str]) -> bool:
    """Whether spoken words may hold what is read for a written word: a mark, or a word of them."""
    alone = _read_alone(words)
    return not alone or not set(alone).isdisjoint(heard)


@lru_cache(maxsize=4096)
def _read_alone(words: str) -> tuple[str, ...]:
    return tuple(core(word) for word in normalize(words).split() if core(word))
