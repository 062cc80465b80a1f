"""Joins the lines of a text to one, with a full stop where a line ends a thought.

A line ends a thought before a blank line, and where it is a heading, an item of a list, a row of a
table or a line of code. Other lines may be wrapped at a width, as in mail, or broken on purpose,
as in verse. They are broken on purpose if most of them left room for the next line's first word,
or if all begin with capitals and are short or many; then a line ends a thought before a capital.
Before a word that goes on ('And', 'That') it ends with a comma.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from latentspeech.text.normalizer.numbers.number_words import cardinal

_BREAK = re.compile(r"\r\n|[\n\r\x0b\x0c\u2028\u2029]")
_FENCE = re.compile(r"\s{0,3}(?:```|~~~)")
_HEADING = re.compile(r"\s{0,3}#{1,6}\s+(.*?)(?:\s#{1,6})?\s*$")
_UNDERLINE = re.compile(r"\s{0,3}(?:={3,}|-{3,})\s*$")
_RULE = re.compile(r"\s{0,3}(?:(?:\*\s?){3,}|(?:_\s?){3,}|(?:-\s?){3,}|[=~]{3,})$")
_QUOTE = re.compile(r"^\s{0,3}(?:>\s?){1,9}")
_BULLET = re.compile(r"\s*[-*+\u2022\u2023\u25e6\u25aa\u25cf\u00b7\u2043]\s+(?=\S)")
_CHECK = re.compile(r"\[([ xX])\]\s+")
_NUMBER = re.compile(r"\s*(?:(\d{1,3})[.)]|\((\d{1,3})\)|\(?([a-zA-Z])\))\s+(?=\S)")
_TABLE_RULE = re.compile(r"\s*\|?\s*:?-{2,}:?\s*(?:\|\s*:?-{2,}:?\s*)*\|?\s*$")
_ENDS = re.compile(r"[\"'\u2019\u201d\u00bb)\]*_~`]*$")
_SMALL_WORD = re.compile(r"[\"'(*_]*([a-z])(?=[a-z]*(?:[\s,.;:!?']|$)(?!\w))")
_GOES_ON = re.compile(
    r"(?:And|Or|But|Nor|That|Which|Who|Whose|Of|To|In|With|From|By|For|As|At|On|Upon|Into|Through|"
    r"Where|Than|Till|Like)\b"
)
_SHORT = 36  # characters: text that is wrapped is wider
_MANY = 4  # lines
_MARGIN = 6  # characters that a break on purpose leaves free, at least
_LETTERS = 10_000  # apart from all numbers
Kind = Literal["blank", "plain", "heading", "item", "row", "code"]


@dataclass(frozen=True)
class _Line:
    kind: Kind
    text: str
    indent: int
    label: str = ""  # of a numbered item


def read_lines(text: str) -> str:
    """'# To buy\\n- milk\\n- eggs' -> 'To buy. Milk. Eggs'."""
    written = _BREAK.split(text)
    if len(written) == 1:
        heading = _HEADING.match(text) if "#" in text[:8] else None
        return heading[1] if heading and heading[1] else text
    lines = _with_numbers(_classify(written))
    deliberate = _deliberate(lines)
    spoken: list[str] = []
    before: _Line | None = None
    for place, line in enumerate(lines):
        if not line.text:
            continue
        text = line.text
        if before is not None and spoken:
            mark = _mark(before, line, lines[place - 1].kind == "blank", deliberate[place])
            spoken[-1], text = _join(spoken[-1], text, mark)
        spoken.append(text)
        before = line
    return " ".join(spoken)


def _classify(written: list[str]) -> list[_Line]:
    lines: list[_Line] = []
    in_code = False
    has_table = any("|" in line and _TABLE_RULE.match(line) for line in written)
    for line in written:
        if _FENCE.match(line):
            in_code = not in_code
            lines.append(_Line("blank", "", 0))
            continue
        if in_code:
            lines.append(_Line("code" if line.strip() else "blank", line.strip(), 0))
            continue
        underlined = _UNDERLINE.match(line) and lines and lines[-1].kind == "plain"
        if underlined:
            lines[-1] = _Line("heading", lines[-1].text, 0)
        is_sign = underlined or _RULE.match(line) or (has_table and _TABLE_RULE.match(line))
        lines.append(_Line("blank", "", 0) if is_sign else _line(line, has_table))
    return lines


def _line(written: str, has_table: bool) -> _Line:
    line = _QUOTE.sub("", written, count=1)
    indent = len(line) - len(line.lstrip())
    text = line.strip()
    if not text:
        return _Line("blank", "", 0)
    if (heading := _HEADING.match(line)) is not None:
        return _Line("heading", heading[1], indent)
    if (bullet := _BULLET.match(line)) is not None:
        text = line[bullet.end() :].strip()
        if (check := _CHECK.match(text)) is not None:
            text = ("To do: " if check[1] == " " else "Done: ") + text[check.end() :]
        return _Line("item", text, indent)
    if (number := _NUMBER.match(line)) is not None:
        label = number[1] or number[2] or number[3]
        return _Line("item", text, indent, label)
    if has_table and "|" in text:
        cells = [cell.strip() for cell in text.strip("|").split("|")]
        return _Line("row", ", ".join(cell for cell in cells if cell), indent)
    return _Line("plain", text, indent)


def _with_numbers(lines: list[_Line]) -> list[_Line]:
    """A number that follows the one before, or comes before the next, is said with its own line.

    Any other may be a part of its sentence, which was wrapped before it.
    """
    places = [place for place, line in enumerate(lines) if line.label]
    in_order: set[int] = set()
    for place, following in pairwise(places):
        if _value(lines[following].label) - _value(lines[place].label) == 1:
            in_order |= {place, following}
    for place in places:
        line = lines[place]
        lines[place] = (
            _numbered(line) if place in in_order else _Line("plain", line.text, line.indent)
        )
    return lines


def _value(label: str) -> int:
    return int(label) if label.isdigit() else _LETTERS + ord(label.lower())


def _numbered(line: _Line) -> _Line:
    match = _NUMBER.match(line.text)
    assert match is not None
    word = cardinal(line.label) if line.label.isdigit() else line.label.upper()
    return _Line("item", f"{word[0].upper()}{word[1:]}, {line.text[match.end() :]}", line.indent)


def _deliberate(lines: list[_Line]) -> list[bool]:
    """Whether each line stands in a block of plain lines that are broken on purpose."""
    answers = [False] * len(lines)
    start = 0
    for place in range(len(lines) + 1):
        if place == len(lines) or lines[place].kind != "plain":
            answers[start:place] = [_is_verse(lines[start:place])] * (place - start)
            start = place + 1
    return answers


def _is_verse(block: list[_Line]) -> bool:
    """Whether most breaks left room for the next word, or all lines begin as those of verse do."""
    width = max((len(line.text) + line.indent for line in block), default=0)
    if all(map(_has_capital, block)):
        has_small = all(any(map(str.islower, line.text)) for line in block)
        if width < _SHORT or (len(block) >= _MANY and has_small):
            return True
    roomy = sum(
        len(line.text) + line.indent + 1 + len(following.text.split(maxsplit=1)[0]) + _MARGIN
        <= width
        for line, following in pairwise(block)
    )
    return roomy > (len(block) - 1) / 2


def _mark(before: _Line, line: _Line, after_blank: bool, is_verse: bool) -> str:
    """What ends the line `before`: '.', ',' or nothing."""
    if after_blank or line.kind != "plain" or before.kind in ("heading", "row", "code"):
        return "."
    first = line.text.split(maxsplit=1)[0]
    if before.kind == "item":
        return "" if line.indent > before.indent or first[0].islower() else "."
    if not is_verse or not _has_capital(line):
        return ""
    return "," if _GOES_ON.match(first) else "."


def _has_capital(line: _Line) -> bool:
    return line.text.lstrip("\"'\u201c\u2018(*_")[:1].isupper()


def _join(text: str, following: str, mark: str) -> tuple[str, str]:
    """Ends `text` with `mark` unless it has one; a sentence begins with a capital."""
    closing = _ENDS.search(text)
    end = closing.start() if closing else len(text)
    last = text[end - 1] if end else ""
    if mark and (last.isalnum() or (last and last in "%\u00b0$+#")):
        text += mark
    if mark == "." and last not in ",;:-\u2013\u2014":
        following = (
            _SMALL_WORD.sub(lambda m: m[0][:-1] + m[1].upper(), following, count=1)
            if _SMALL_WORD.match(following)
            else following
        )
    return text, following
