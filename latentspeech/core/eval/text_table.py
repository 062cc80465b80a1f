"""A table whose cells are texts, for a Markdown file or a page."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TextTable:
    """Caption, headings, rows with one cell a heading, and notes below the table."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def to_markdown(self) -> str:
        """The caption, the table and the notes as Markdown; each note is a line of its own."""
        lines = [_line(self.headings), "|" + "---|" * len(self.headings), *map(_line, self.rows)]
        # Two spaces at the end of a line break it in Markdown.
        notes = [f"{note}  " for note in self.notes]
        return "\n".join([self.caption, "", *lines, "", *notes]).rstrip() + "\n"


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(text.replace('|', '/') for text in texts)} |"
