"""Divides a text into the pieces that are spoken one after another, with the pauses between them.

A piece is a sentence, or a part of one that is too long or has a break in it. Each of its words
knows the written word that it comes from.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from latentspeech.text.normalizer import NormalizedText, normalize
from latentspeech.text.normalizer.punctuation import tidy
from latentspeech.text.reading.delivery import Delivery, Pauses, check_rate
from latentspeech.text.reading.marked_text import (
    Marked,
    Run,
    WrittenWord,
    source_text,
    written_words,
)
from latentspeech.text.reading.spoken_words import core, word_owners
from latentspeech.text.reading.ssml import is_ssml, parse_ssml
from latentspeech.text.sentences import split_normalized

_SENTENCE_ENDS = ".?!"


@dataclass(frozen=True)
class Piece:
    """A text to speak at once, after a pause."""

    text: NormalizedText
    owners: tuple[int, ...]  # for each word of the text the place of its written word
    pause_s: float = 0.0  # silence before it
    begins_within_word: bool = False  # whether its first word began in the piece before


@dataclass(frozen=True)
class Reading:
    """A whole text: its written words, the pieces to speak, and the silence at the end."""

    words: tuple[WrittenWord, ...]
    pieces: tuple[Piece, ...]
    pause_after_s: float = 0.0


def plain_text(text: str) -> str:
    """Returns the text that is read, without the mark-up of SSML.

    Raises:
        InputError: SSML is wrong.
    """
    return source_text(_marked(text))


def _marked(text: str) -> Marked:
    return parse_ssml(text) if is_ssml(text) else (Run(text),)


def read_text(
    text: str,
    delivery: Delivery,
    max_chars: int,
    readable: Callable[[NormalizedText], NormalizedText],
) -> Reading:
    """Divides a text, which is SSML if it begins with `<speak`.

    Args:
        text: written English or SSML.
        delivery: pauses, pronunciations and pace.
        max_chars: the longest piece, in characters.
        readable: takes out words that the voice cannot speak.

    Returns:
        The reading; it has no piece if there is nothing to speak.

    Raises:
        InputError: SSML is wrong, or no word is left that the voice can speak.
        ConfigError: pace and a rate of SSML together are too slow or too fast.
    """
    marked = delivery.lexicon.mark(_marked(text))
    normal = normalize(source_text(marked))
    if not any(map(str.isalnum, normal)):
        return Reading((), ())
    texts = split_normalized(readable(normal), max_chars)
    words, last_breaks = written_words(marked)
    for word in words:
        check_rate(word.rate * delivery.speed, "the speed with the rate of SSML")
    spoken = [_words(piece) for piece in texts]
    flat = [word for piece in spoken for word in piece]
    found = word_owners([word.read for word in words], flat)
    owners = iter(found.of_spoken)
    pieces: list[Piece] = []
    for piece in texts:
        pieces += _cut(piece, [next(owners) for _ in _words(piece)], words)
    paused = _with_pauses(pieces, words, delivery.pauses)
    pause_after_s = sum(length or 0.0 for length in last_breaks)
    return Reading(tuple(_join(words, found.joined)), tuple(paused), pause_after_s)


def _join(words: Sequence[WrittenWord], joined: set[int]) -> list[WrittenWord]:
    """Adds words that are spoken together with the one before to the text of that one."""
    texts = [word.text for word in words]
    for place in sorted(joined, reverse=True):
        texts[place - 1] += " " + texts[place]
    return [replace(word, text=text) for word, text in zip(words, texts, strict=True)]


def _words(text: str) -> list[str]:
    return [word for word in text.split() if core(word)]


def _cut(text: NormalizedText, owners: list[int], words: Sequence[WrittenWord]) -> list[Piece]:
    """Cuts a piece at each break within it."""
    starts = [
        place
        for place in range(1, len(owners))
        if any(words[k].breaks for k in range(owners[place - 1] + 1, owners[place] + 1))
    ]
    if not starts:
        return [Piece(text, tuple(owners))]
    # A mark that stands alone belongs to the word before it.
    places, place = [], -1
    for token in text.split():
        place += bool(core(token))
        places.append(max(place, 0))
    parts = []
    for number, group in groupby(
        zip(text.split(), places, strict=True), lambda pair: sum(pair[1] >= s for s in starts)
    ):
        part = NormalizedText(tidy(" ".join(token for token, _ in group)))
        bounds = [0, *starts, len(owners)][number : number + 2]
        parts.append(Piece(part, tuple(owners[slice(*bounds)])))
    return parts


def _with_pauses(
    pieces: Sequence[Piece], words: Sequence[WrittenWord], pauses: Pauses
) -> list[Piece]:
    paused = []
    last, before = -1, ""
    for piece in pieces:
        between = words[last + 1 : piece.owners[0] + 1]
        goes_on = piece.owners[0] == last
        paused.append(Piece(piece.text, piece.owners, _pause_s(before, between, pauses), goes_on))
        last, before = piece.owners[-1], piece.text
    return paused


def _pause_s(before: str, between: Sequence[WrittenWord], pauses: Pauses) -> float:
    """Returns the pause between a piece and the written words from there to the next one."""
    breaks = [length for word in between for length in word.breaks]
    given = [length for length in breaks if length is not None]
    if given:
        return sum(given)
    if not before:
        return 0.0
    if any(word.new_paragraph for word in between):
        return pauses.paragraph_s
    if breaks or before.rstrip("\"'")[-1:] in _SENTENCE_ENDS:
        return pauses.sentence_s
    return pauses.clause_s
