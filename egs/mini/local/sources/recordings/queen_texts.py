"""What is said in the clips of Flight of the Amazon Queen, from the game's scripts.

Three kinds of script hold it, and each makes the names of its clips in its own way:
DOG (a dialogue): number of the dialogue, of the sentence in hex, J or P, part of the sentence;
CUT (a scene): its name, padded to five letters, number of the sentence, part;
QUEEN2.JAS (the hero's remarks, a line each): JOE, number of the remark, part.
A sentence is in parts where it has commands in it, `*` and two characters or a position.
Numbers are big-endian; strings are a length and that many bytes, padded to a multiple.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_HEADER_BYTES = 20
_COMMAND = re.compile(r"\*(?:XY\d\d\(\d+,\d+\)|..)")
# JOE0041 is the first line of the file, JOE0001 to JOE0040 stand further down.
_FIRST_REMARK, _FIRST_ANSWER_LINE = 41, 1187
_PART_NAMES = "123456789ABCDEF"


class QueenTexts(NamedTuple):
    """Text by clip, and the name of the person by number of the dialogue."""

    text_of: dict[str, str]
    person_of: dict[int, str]


def read_texts(files: Mapping[str, bytes]) -> QueenTexts:
    """From the contents of the scripts, by file name."""
    sentences: dict[str, str] = {}
    person_of: dict[int, str] = {}
    for name, data in sorted(files.items()):
        if name.endswith(".DOG"):
            number = struct.unpack_from(">h", data, _HEADER_BYTES + 4)[0]
            person_of[number] = re.sub(r"\d+$", "", name.removesuffix(".DOG")).lower()
            sentences.update(_dialogue(data[_HEADER_BYTES:]))
        elif name.endswith(".CUT"):
            sentences.update(_scene(name.removesuffix(".CUT"), data[_HEADER_BYTES:]))
        else:
            sentences.update(_remarks(data.decode("latin-1").splitlines()))
    return QueenTexts(dict(_parts(sentences)), person_of)


def _parts(sentences: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for prefix, sentence in sentences.items():
        for name, part in zip(_PART_NAMES, _COMMAND.split(sentence), strict=False):
            text = " ".join(re.sub(r'[@#"*^_]', " ", part).split())
            if re.search("[A-Za-z]", text):
                yield prefix + name, text


def _dialogue(data: bytes) -> Iterator[tuple[str, str]]:
    levels, _, number, num_joe, num_person = struct.unpack_from(">5h", data)
    at_person, _, at_again = struct.unpack_from(">3H", data, 22)
    at_joe = 32 + abs(levels) * 96
    for who, place, count in (("J", at_joe, num_joe), ("P", at_person, num_person)):
        for index in range(count):
            sentence_number = struct.unpack_from(">H", data, place + 2)[0]
            text, place = _string(data, place + 4, 4)
            yield f"{number:02d}{sentence_number:04X}{who}", text
            if who == "J" and index == 0 and sentence_number == 0:
                yield f"{number:02d}SSSSJ", text
    # When they have met before, both start in another way.
    text, place = _string(data, at_again, 2)
    yield f"{number:02d}XXXXP", text
    yield f"{number:02d}XXXXJ", _string(data, place, 2)[0]


def _scene(name: str, data: bytes) -> Iterator[tuple[str, str]]:
    count = abs(struct.unpack_from(">h", data, 2)[0])
    place = struct.unpack_from(">H", data, 8)[0]
    _, place = _string(data, place, 2)
    for number in range(1, count + 1):
        text, place = _string(data, place, 2)
        yield f"{name.upper():_<5}{number:02d}", text


def _remarks(lines: list[str]) -> Iterator[tuple[str, str]]:
    for number in range(1, 1000):
        is_answer = number < _FIRST_REMARK
        line = number + _FIRST_ANSWER_LINE - 1 if is_answer else number - _FIRST_REMARK
        if line < len(lines):
            yield f"JOE{number:04d}", lines[line]


def _string(data: bytes, place: int, align: int) -> tuple[str, int]:
    """The string at a place, and where the next thing begins."""
    end = place + 1 + data[place]
    # An empty string has no padding.
    after = -(-end // align) * align if data[place] else end
    return data[place + 1 : end].decode("latin-1"), after
