"""The blocks of plain text and of Markdown.

In plain text a line that stands alone and begins as chapters do ("Chapter 3", "PART II. The Sea",
"Prologue") is a heading. In Markdown the headings of the first two levels are.
"""

import re

from latentspeech.text.books.blocks import Block

_MOST_HEADING_LINES = 3
_MOST_HEADING_CHARACTERS = 120
_NUMBER = (
    r"\d{1,4}|[ivxlc]{1,7}|(?:the )?(?:first|second|third|last)|one|two|three|four|five|six|seven|"
    r"eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|twenty(?:-\w+)?"
)
_HEADING = re.compile(
    rf"(?:(?i:chapter|part|book|act|letter|stave|canto|volume)\s+(?i:{_NUMBER})(?![\w'\u2019])"
    r"(?:\s*[.:\u2014\u2013-][^\n]{0,90}|\s+[^a-z\n][^\n]{0,90})?"
    r"|(?i:prologue|epilogue|preface|introduction|foreword|afterword|appendix)\s*[.:]?\s*)"
    r"(?:\n.*)?",
    re.DOTALL,
)
_HASHES = re.compile(r" {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_FRONT_MATTER = re.compile(r"---\n.*?\n---\n", re.DOTALL)


def text_blocks(text: str) -> list[Block]:
    """Returns the paragraphs of a plain text, which blank lines divide, and its headings."""
    paragraphs = re.split(r"\n[^\S\n]*\n\s*", text.replace("\r\n", "\n").strip())
    return [Block(part, _is_heading(part)) for part in paragraphs if part.strip()]


def _is_heading(paragraph: str) -> bool:
    short = len(paragraph) <= _MOST_HEADING_CHARACTERS
    few = paragraph.count("\n") < _MOST_HEADING_LINES
    return short and few and _HEADING.fullmatch(paragraph.strip()) is not None


def markdown_blocks(text: str) -> list[Block]:
    """Returns the paragraphs of a Markdown text, and its headings of the first two levels.

    Other mark-up stays; the normaliser reads it.
    """
    text = _FRONT_MATTER.sub("", text.replace("\r\n", "\n"), count=1) if text[:3] == "---" else text
    blocks: list[Block] = []
    lines: list[str] = []
    in_code = False

    def end_paragraph() -> None:
        if any(line.strip() for line in lines):
            blocks.append(Block("\n".join(lines).strip("\n")))
        lines.clear()

    for line in text.splitlines():
        in_code ^= _FENCE.match(line) is not None
        hashes = None if in_code else _HASHES.fullmatch(line)
        if hashes and hashes[2]:
            end_paragraph()
            blocks.append(Block(hashes[2], len(hashes[1]) <= 2))
        elif not in_code and len(lines) == 1 and lines[0].strip() and _UNDERLINE.fullmatch(line):
            blocks.append(Block(lines.pop().strip(), is_heading=True))
        elif line.strip() or in_code:
            lines.append(line)
        else:
            end_paragraph()
    end_paragraph()
    return blocks
