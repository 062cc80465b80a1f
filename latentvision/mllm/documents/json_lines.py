"""Pages in .jsonl files, one a line, in a folder or behind a URL.

    {"text": "..."}                                        text
    {"picture": "a/1.jpg", "caption": "..."}               pair
    {"parts": [{"text": "..."}, {"picture": "a/1.jpg"}]}   interleaved
    {"parts": [{"picture": "a/1.jpg"}, {"question": "..."}, {"answer": "..."}]}   questions
    {"parts": [{"text": "..."}, {"speech": "a/1.wav"}]}   interleaved; the same with pictures
    {"parts": [..., {"answers": ["a dog", "dog", ...]}]}   all answers, as in VQAv2
    {"text_list": [...], "image_info": [...]}              interleaved, the layout of MMC4

Of several answers the most frequent one is learned. A key "key" names the page; without one, its
file and line do. Pictures are files of the folder `pictures`. Speech is called by its name in the
shards of latents. In MMC4 (Zhu et al. 2023, arXiv 2304.06939) a picture goes before the sentence
that it matches. A shard is a file. An open file takes 8 bytes a line.
"""

import json
import mmap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.data.file_store import LocalCacheConfig, open_store
from latentspeech.core.data.recent import Recent
from latentspeech.core.errors import DataError
from latentvision.mllm.documents.page import (
    Page,
    PageKind,
    PageSize,
    Part,
    Picture,
    Speech,
    Text,
    size_of,
)
from latentvision.mllm.documents.picture_folder import PictureFolder
from latentvision.mllm.documents.source import STRIDE

SUFFIX = ".jsonl"
_EXPECTED = "expected an object with text, picture and caption, parts, or text_list and image_info"


class JsonLinesPages:
    """The lines of all .jsonl files of a folder; empty lines are left out."""

    def __init__(
        self, location: str | Path, pictures: PictureFolder, cache: LocalCacheConfig | None = None
    ) -> None:
        """Raises DataError if there are no such files."""
        self._store = open_store(location, cache)
        self._pictures = pictures
        self._files = sorted(name for name in self._store.names() if name.endswith(SUFFIX))
        if not self._files:
            raise DataError(f"{location} holds no {SUFFIX} files; give a folder or URL of some")
        self._open: Recent[_Lines] = Recent(self._open_file)

    def __str__(self) -> str:
        return str(self._store)

    @property
    def num_shards(self) -> int:
        """Number of files."""
        return len(self._files)

    @property
    def max_window_shards(self) -> int:
        """Files are mapped, and cost nothing to open again."""
        return self.num_shards

    def shard(self, number: int) -> Sequence[int]:
        """The indices of a file's lines."""
        return range(number * STRIDE, number * STRIDE + len(self._open[number]))

    def size(self, index: int) -> PageSize:
        """The size of a line's text, and the number of its pictures."""
        return size_of(self._page(index, read_pictures=False))

    def page(self, index: int) -> Page:
        """The page of a line; DataError if the line is damaged."""
        return self._page(index, read_pictures=True)

    def _page(self, index: int, read_pictures: bool) -> Page:
        number, place = divmod(index, STRIDE)
        line, name = self._open[number].line(place), self._files[number]
        pictures = self._pictures if read_pictures else None
        try:
            row = json.loads(line)
            kind, parts = _parts(row, pictures)
            return Page(str(row.get("key") or f"{name}/{place}"), kind, tuple(parts))
        except DataError:
            raise
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            raise DataError(
                f"{self._store.where(name)}: page {place} cannot be read "
                f"({type(error).__name__}: {error}); {_EXPECTED}; correct or remove the line"
            ) from None

    def _open_file(self, number: int) -> "_Lines":
        name = self._files[number]
        try:
            lines: _Lines = self._store.read(name, _Lines)
        except OSError as error:
            raise DataError(f"{self._store.where(name)} cannot be read ({error})") from None
        return lines


class _Lines:
    """A mapped file, and where its lines that are not empty begin."""

    def __init__(self, path: Path) -> None:
        self._content: mmap.mmap | bytes = b""
        if path.stat().st_size:
            with path.open("rb") as file:
                self._content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        starts, place = [], 0
        while place < len(self._content):
            end = self._content.find(b"\n", place)
            end = len(self._content) if end < 0 else end
            if self._content[place:end].strip():
                starts.append(place)
            place = end + 1
        self._starts: NDArray[np.int64] = np.array(starts, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._starts)

    def line(self, number: int) -> bytes:
        start = int(self._starts[number])
        end = self._content.find(b"\n", start)
        return self._content[start : end if end >= 0 else len(self._content)]


_Parts = list[Part]


def _parts(row: Mapping[str, Any], pictures: PictureFolder | None) -> tuple[PageKind, _Parts]:
    """The kind and the parts of a line; without `pictures`, none is read."""

    def picture(name: Any) -> Picture:
        if name is None or pictures is None:
            return Picture(str(name), None)
        return pictures.read(_text(name))

    if "parts" in row:
        parts = [_part(part, picture) for part in row["parts"]]
        asks = any(isinstance(part, Text) and part.mark != "plain" for part in parts)
        return "questions" if asks else "interleaved", parts
    if "picture" in row:
        return "pair", [picture(row["picture"]), Text(_text(row["caption"]))]
    if "text_list" in row:
        return "interleaved", _mmc4(row, picture)
    return "text", [Text(_text(row["text"]))]


def _part(part: Mapping[str, Any], picture: Any) -> Part:
    ((name, value),) = part.items()
    match name:
        case "picture":
            read: Picture = picture(value)
            return read
        case "text":
            return Text(_text(value))
        case "speech":
            return Speech(_text(value))
        case "question" | "answer":
            return Text(_text(value), name)
        case "answers":
            given = tuple(map(_text, value))
            return Text(Counter(given).most_common(1)[0][0], "answer", given)
    raise ValueError(
        f"a part {name!r}; expected text, picture, speech, question, answer or answers"
    )


def _mmc4(row: Mapping[str, Any], picture: Any) -> _Parts:
    sentences = [_text(sentence) for sentence in row["text_list"]]
    parts: _Parts = []
    for place, sentence in enumerate(sentences):
        parts += [
            picture(info["image_name"])
            for info in row["image_info"]
            if info["matched_text_index"] == place
        ]
        parts.append(Text(sentence if place == len(sentences) - 1 else f"{sentence} "))
    return parts


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} where text was expected")
    return value
