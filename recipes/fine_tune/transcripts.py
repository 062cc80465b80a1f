"""Reads the transcripts and speakers of the recordings in a folder.

Transcripts stand in metadata.csv (lines `id|text`, or a header with file_name, text and perhaps
speaker) or in NAME.txt beside NAME.wav. The speaker is named by the column; without it by the first
subfolder, if recordings lie in several; otherwise by the folder.
"""

import csv
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from latentspeech.audio.reading import AUDIO_SUFFIXES
from latentspeech.core.errors import DataError

METADATA_NAME = "metadata.csv"


class Recording(NamedTuple):
    """An audio file of the folder; `text` is None where there is none."""

    path: Path  # relative to the folder
    text: str | None
    speaker: str


class Line(NamedTuple):
    """A line of metadata.csv."""

    file_name: str  # with or without suffix and folders
    text: str
    speaker: str | None


class Found(NamedTuple):
    """All audio files, and the names in metadata.csv that match no file or several."""

    recordings: list[Recording]
    without_audio: list[str]


def read_folder(folder: Path) -> Found:
    """The recordings of a folder and its subfolders, by path. DataError if there are none."""
    if not folder.is_dir():
        raise DataError(f"no folder {folder}; give the one that holds recordings and transcripts")
    paths = sorted(
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and path.suffix.lower() in AUDIO_SUFFIXES and path.name[0] != "."
    )
    if not paths:
        kinds = ", ".join(sorted(AUDIO_SUFFIXES))
        raise DataError(f"{folder} holds no recordings; expected files named {kinds}")
    metadata = folder / METADATA_NAME
    lines = read_metadata(metadata) if metadata.is_file() else []
    line_of: dict[Path, Line] = {}
    without_audio: list[str] = []
    by_name = _by_name(paths)
    for line in lines:
        match by_name.get(_name(line.file_name)):
            case [path]:
                line_of[path] = line
            case _:
                without_audio.append(line.file_name)
    top = {path.parts[0] if len(path.parts) > 1 else "" for path in paths}
    recordings = []
    for path in paths:
        said = line_of.get(path)
        text = said.text if said is not None else _read_beside(folder / path)
        folder_name = path.parts[0] if len(top) > 1 and len(path.parts) > 1 else ""
        speaker = (said.speaker if said is not None else None) or folder_name
        recordings.append(Recording(path, text, speaker or folder.resolve().name))
    return Found(recordings, without_audio)


def read_metadata(path: Path) -> list[Line]:
    """The lines of a metadata.csv. DataError names the first that cannot be understood."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8; save it in that encoding") from None
    rows = text.splitlines()
    head = rows[0] if rows else ""
    separator = "|" if "|" in head else ","
    # LJSpeech does not quote: a quotation mark is part of a text there.
    fields = csv.reader(rows, delimiter="|", quoting=csv.QUOTE_NONE)
    if separator == ",":
        fields = csv.reader(rows)
    columns = [name.strip().lower() for name in head.split(separator)]
    if {"file_name", "text"} <= set(columns):
        next(fields)
        return [_line(path, columns, row) for row in fields if row]
    if separator == ",":
        raise DataError(
            f"{path}: expected lines like id|text, or a first line with file_name,text and perhaps "
            f"speaker; found {head[:60]!r}"
        )
    return [_line(path, ["file_name", "text"], row) for row in fields if row]


def _line(path: Path, columns: list[str], row: list[str]) -> Line:
    values = dict(zip(columns, (value.strip() for value in row), strict=False))
    if not values.get("file_name") or "text" not in values:
        raise DataError(f"{path}: {'|'.join(row)[:60]!r} has no file name or no text")
    return Line(values["file_name"], values["text"], values.get("speaker"))


def _by_name(paths: Iterable[Path]) -> dict[str, list[Path]]:
    """Files by every name that a transcript may use: path or name alone, with suffix or without."""
    found: dict[str, list[Path]] = {}
    for path in paths:
        for name in {_name(path.as_posix()), path.stem}:
            found.setdefault(name, []).append(path)
    return found


def _name(file_name: str) -> str:
    path = Path(file_name)
    return (path.with_suffix("") if path.suffix.lower() in AUDIO_SUFFIXES else path).as_posix()


def _read_beside(path: Path) -> str | None:
    beside = path.with_suffix(".txt")
    if not beside.is_file():
        return None
    try:
        return " ".join(beside.read_text(encoding="utf-8-sig").split())
    except UnicodeDecodeError:
        raise DataError(f"{beside} is not UTF-8; save it in that encoding") from None
