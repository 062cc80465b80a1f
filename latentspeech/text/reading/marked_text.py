"""A text with marks: stretches that are said in their own way, and breaks between them."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

_TOKEN = re.compile(r"\S+")
_BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


@dataclass(frozen=True)
class Run:
    """A stretch of text that is said in one way."""

    text: str  # what is read; its numbers and abbreviations become words later
    written: str | None = None  # what the user wrote in its place; None: the text itself
    phonemes: str | None = None  # how it is pronounced, in misaki's alphabet
    rate: float = 1.0  # times the voice's own pace


@dataclass(frozen=True)
class Break:
    """A place where speech pauses, even within a sentence."""

    pause_s: float | None = None  # None: as long as between two sentences


Marked = tuple[Run | Break, ...]


@dataclass(frozen=True)
class WrittenWord:
    """A word of the user's text, with its punctuation; `sub` in SSML makes several words one."""

    text: str  # as written
    read: str  # what is read for it, one or more words with one space between
    phonemes: str | None = None
    rate: float = 1.0
    breaks: tuple[float | None, ...] = ()  # lengths of the breaks before it, in s
    new_paragraph: bool = False  # whether a blank line stands before it


def source_text(marked: Marked) -> str:
    """Returns the text that is read, with a space for each break."""
    return "".join(part.text if isinstance(part, Run) else " " for part in marked)


def written_words(marked: Marked) -> tuple[list[WrittenWord], tuple[float | None, ...]]:
    """Returns the words of a text in order, and the breaks after the last one.

    A word is what stands between two spaces. A stretch with text of its own is one word, together
    with the punctuation that touches it.
    """
    words: list[WrittenWord] = []
    breaks: list[float | None] = []
    is_new = False
    for part in _groups(marked):
        if isinstance(part, Break):
            breaks.append(part.pause_s)
        elif isinstance(part, str):
            is_new |= bool(words) and _BLANK_LINE.search(part) is not None
        else:
            read = " ".join("".join(run.text for run in part).split())
            shown = "".join(run.text if run.written is None else run.written for run in part)
            named = next((run for run in part if run.written is not None or run.phonemes), part[0])
            if any(map(str.isalnum, read)):
                words.append(
                    WrittenWord(
                        " ".join(shown.split()),
                        read,
                        named.phonemes,
                        named.rate,
                        tuple(breaks),
                        is_new,
                    )
                )
                breaks, is_new = [], False
            elif words and shown.strip():  # a dash that stands alone
                words[-1] = replace(words[-1], text=f"{words[-1].text} {shown.strip()}")
    return words, tuple(breaks)


def _groups(marked: Marked) -> Iterator[list[Run] | str | Break]:
    """Yields words as lists of the runs that make them, the space between, and breaks."""
    word: list[Run] = []
    for part in marked:
        if isinstance(part, Break):
            yield from _ended(word)
            word = []
            yield part
        elif part.written is not None or part.phonemes is not None:
            word.append(part)
        else:
            for is_space, piece in _pieces(part.text):
                if is_space:
                    yield from _ended(word)
                    word = []
                    yield piece
                else:
                    word.append(Run(piece, rate=part.rate))
    yield from _ended(word)


def _ended(word: list[Run]) -> Iterable[list[Run]]:
    return [word] if word else []


def _pieces(text: str) -> Iterator[tuple[bool, str]]:
    """Yields (whether it is space, piece) for the pieces of a text, in order."""
    end = 0
    for match in _TOKEN.finditer(text):
        if match.start() > end:
            yield True, text[end : match.start()]
        yield False, match[0]
        end = match.end()
    if end < len(text):
        yield True, text[end:]
