"""The blocks of a book in reading order, and how they become chapters.

A paragraph that begins with `[NAME]:` is spoken in that voice, if there is one of that name or
NAME is a voice file. Other brackets, such as those of links, are text.
"""

import logging
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

logger = logging.getLogger(__name__)

IsVoice = Callable[[str], bool]

_VOICE = re.compile(r"\[([^\[\]\n]{1,200})\]:[^\S\n]*")
_LIKE_A_NAME = re.compile(r"[A-Za-z][\w-]*(?: [\w-]+)?")


@dataclass(frozen=True)
class Block:
    """A heading or a paragraph."""

    text: str
    is_heading: bool = False


@dataclass(frozen=True)
class Passage:
    """A paragraph or heading that one voice speaks."""

    text: str
    voice: str | None = None  # None: the narrator


@dataclass(frozen=True)
class Chapter:
    """A part of a book with a title; the title is its first passage, unless the book has none."""

    title: str
    passages: tuple[Passage, ...]


def chapters_of(blocks: Iterable[Block], title: str, is_voice: IsVoice) -> tuple[Chapter, ...]:
    """Divides blocks at their headings.

    What precedes the first heading is a chapter with the book's title. Headings without text
    between them are one: "Part One" and "Chapter 1" give "Part One. Chapter 1".

    Args:
        blocks: the book in reading order.
        title: of the book.
        is_voice: whether a name in brackets is a voice.
    """
    chapters: list[Chapter] = []
    headings: list[str] = []
    passages: list[Passage] = []

    def end_chapter() -> None:
        if passages:
            chapters.append(Chapter(". ".join(headings) or title, tuple(passages)))

    has_text = False
    for block in blocks:
        if block.is_heading and has_text:
            end_chapter()
            headings, passages, has_text = [], [], False
        if block.is_heading:
            headings.append(" ".join(block.text.split()).rstrip("."))
            passages.append(Passage(block.text))
        else:
            passages += _passages(block.text, is_voice)
            has_text = True
    end_chapter()
    return tuple(chapters)


def _passages(text: str, is_voice: IsVoice) -> list[Passage]:
    """Divides a paragraph at the lines that begin with a voice."""
    found: list[Passage] = []
    lines: list[str] = []
    voice: str | None = None

    def end_passage() -> None:
        whole = "\n".join(lines).strip()
        if whole:
            found.append(Passage(whole, voice))

    for line in text.splitlines():
        match = _VOICE.match(line.lstrip())
        if match and is_voice(match[1].strip()):
            end_passage()
            voice = match[1].strip()
            lines = [line.lstrip()[match.end() :]]
            continue
        if match and _LIKE_A_NAME.fullmatch(match[1]):
            logger.warning("[%s]: is no voice here, so it is read as text", match[1])
        lines.append(line)
    end_passage()
    return found
