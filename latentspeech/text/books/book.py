"""Reads a book from a file: .txt, .md or .epub."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from latentspeech.core.errors import InputError
from latentspeech.text.books.blocks import Block, Chapter, IsVoice, Passage, chapters_of
from latentspeech.text.books.epub import read_epub
from latentspeech.text.books.plain import markdown_blocks, text_blocks

__all__ = ["SUFFIXES", "Book", "Chapter", "Passage", "read_book"]

SUFFIXES = (".txt", ".md", ".markdown", ".epub")


@dataclass(frozen=True)
class Book:
    """A title, an author and chapters."""

    title: str
    author: str | None
    chapters: tuple[Chapter, ...]


def read_book(path: Path, is_voice: IsVoice) -> Book:
    """Reads a book.

    Args:
        path: a text, Markdown or EPUB file.
        is_voice: whether a name in brackets at the start of a line is a voice.

    Raises:
        InputError: the file is missing, of another kind, damaged, protected, or has no text.
    """
    if not path.is_file():
        raise InputError(f"book not found: {path}; give an existing {', '.join(SUFFIXES)} file")
    title, author = path.stem, None
    blocks: Sequence[Block]
    match path.suffix.lower():
        case ".epub":
            epub = read_epub(path)
            title, author, blocks = epub.title or title, epub.author, epub.blocks
        case ".md" | ".markdown":
            blocks = markdown_blocks(_text(path))
        case ".txt":
            blocks = text_blocks(_text(path))
        case _:
            raise InputError(
                f"{path} is no book that can be read here; expected {', '.join(SUFFIXES)}: convert "
                "it, for instance to .epub with Calibre"
            )
    chapters = chapters_of(blocks, title, is_voice)
    if not chapters:
        raise InputError(f"{path} has no text to read; give another book")
    return Book(title, author, chapters)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 (byte {error.start}); convert it, for instance with iconv"
        ) from None
