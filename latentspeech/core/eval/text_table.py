"""A finished table of texts, for a Markdown file or a page."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class TextTable:
    """Caption, headings, rows of as many cells, and lines that stand below."""

    caption: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()

    def to_markdown(self) -> str:
        """Caption, table and notes, each note a line of its own."""
        lines = [_line(self.headings), "|" + "---|" * len(self.headings), *map(_line, self.rows)]
        # Two spaces at the end of a line break it in Markdown.
        notes = [f"{note}  " for note in self.notes]
        return "\n".join([self.caption, "", *lines, "", *notes]).rstrip() + "\n"


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(text.replace('|', '/') for text in texts)} |"
