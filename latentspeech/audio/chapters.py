"""Chapters of an audio file: within it (.m4a, .m4b, .mp3), or as a list beside it.

Within an .mp3 they are frames CHAP of ID3v2, which PyAV writes. PyAV is an extra that the other two
formats need anyway; without it an .mp3 gets a list.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from latentspeech.core.storage.files import atomic_path


def holds_chapters(path: Path) -> bool:
    """Whether a file that is written at `path` has its chapters within."""
    suffix = path.suffix.lower()
    has_pyav = importlib.util.find_spec("av") is not None
    return suffix in (".m4a", ".m4b") or (suffix == ".mp3" and has_pyav)


@dataclass(frozen=True)
class ChapterMark:
    """Where a chapter begins and ends."""

    title: str
    start_s: float
    end_s: float


@dataclass(frozen=True)
class BookTags:
    """What a file says about the book in it."""

    title: str
    author: str | None = None
    chapters: tuple[ChapterMark, ...] = ()

    def texts(self) -> dict[str, str]:
        """Title and author by the names that audio formats have for them."""
        author = {} if self.author is None else {"artist": self.author}
        return {"title": self.title, **author}


def set_chapters(container: Any, chapters: Sequence[ChapterMark]) -> None:
    """Sets the chapters of an output container of PyAV, before anything is written to it."""
    container.set_chapters(
        [
            {
                "id": number,
                "start": round(1000 * mark.start_s),
                "end": round(1000 * mark.end_s),
                "time_base": Fraction(1, 1000),
                "metadata": {"title": mark.title},
            }
            for number, mark in enumerate(chapters)
        ]
    )


def list_path(path: Path) -> Path:
    """Returns the name of the list of a file's chapters: `book.mp3` -> `book.chapters.txt`."""
    return path.with_name(f"{path.stem}.chapters.txt")


def write_list(path: Path, chapters: Sequence[ChapterMark]) -> None:
    """Writes a line for each chapter, its start and its title: `00:12:30.500 The Sea`."""
    lines = []
    for mark in chapters:
        minutes, ms = divmod(round(1000 * mark.start_s), 60_000)
        hours, minutes = divmod(minutes, 60)
        title = " ".join(mark.title.split())
        lines.append(f"{hours:02d}:{minutes:02d}:{ms // 1000:02d}.{ms % 1000:03d} {title}\n")
    with atomic_path(path) as temporary:
        temporary.write_text("".join(lines), encoding="utf-8")
