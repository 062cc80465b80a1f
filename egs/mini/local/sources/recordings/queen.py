"""Flight of the Amazon Queen: 6,600 lines of dialogue, MP3 at 11,025 Hz, most with their text.

All lies in one file that starts with an index. The names of the clips say who speaks: JOE and J is
the hero, P with the number of a dialogue the person he talks to; in scenes (C and a room) it may be
anybody, so a room counts as one speaker. Actors play several parts, so two speakers may share a
voice. Names that end in S are sound effects.
"""

import io
import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import soundfile

from egs.mini.local.sources.protocol import Recording, Waveform
from egs.mini.local.sources.recordings.queen_texts import QueenTexts, read_texts
from egs.mini.local.sources.unpacked import unpacked_file
from latentspeech.core.errors import DataError

_DATA = "usr/share/scummvm/flight-of-the-amazon-queen/queen.1c"
_ENTRY = struct.Struct(">12sBII")
_NUM_ENTRIES_AT, _ENTRIES_AT = 13, 15
_DIALOGUE = re.compile(r"(\d\d)[0-9A-FSX]{4}([JP])[0-9A-Z]")
_SCENE = re.compile(r"C(\d+|DINT|INTR|OMIC)")


class _Place(NamedTuple):
    offset: int
    size: int


class Queen:
    """Reads queen.1c."""

    licence = "Flight of the Amazon Queen licence (free with notice; (C) Passfield and Stamatiadis)"

    def __init__(self, downloads: Path) -> None:
        self._path = unpacked_file(downloads, "queen", _DATA)
        self._places = _read_index(self._path)
        self._texts = read_texts(
            {
                name: self._read(name)
                for name in self._places
                if name.endswith((".DOG", ".CUT")) or name == "QUEEN2.JAS"
            }
        )

    def recordings(self) -> Iterator[Recording]:
        """By name; sound effects after the speech."""
        clips = sorted(name for name in self._places if name.endswith(".SB"))
        effects = [clip for clip in clips if re.fullmatch(r"\d+[A-F]?S+\.SB", clip)]
        for clip in sorted(set(clips) - set(effects)):
            name = clip.removesuffix(".SB")
            speaker = speaker_of(name, self._texts)
            if speaker:
                yield Recording(name, speaker, self._texts.text_of.get(name, ""))
        for clip in effects:
            yield Recording(clip.removesuffix(".SB"), "queen_effects", kind="effect")

    def load(self, recording: Recording) -> Waveform:
        """Decodes the MP3."""
        try:
            samples, rate = soundfile.read(
                io.BytesIO(self._read(f"{recording.name}.SB")), dtype="float32", always_2d=True
            )
        except soundfile.LibsndfileError as error:
            raise DataError(f"source queen: clip {recording.name} is no MP3 ({error})") from None
        return Waveform(samples.mean(axis=1), rate)

    def _read(self, name: str) -> bytes:
        place = self._places[name]
        with self._path.open("rb") as file:
            file.seek(place.offset)
            return file.read(place.size)


def speaker_of(clip: str, texts: QueenTexts) -> str:
    """The part that is heard in a clip; empty where its name says nothing (a few leftovers)."""
    if clip.startswith("JOE"):
        return "queen_joe"
    if dialogue := _DIALOGUE.fullmatch(clip):
        person = texts.person_of.get(int(dialogue[1]), f"dialogue{dialogue[1]}")
        return "queen_joe" if dialogue[2] == "J" else f"queen_{person}"
    if scene := _SCENE.match(clip):
        return f"queen_scene_{scene[1].lower()}"
    return ""


def _read_index(path: Path) -> dict[str, _Place]:
    with path.open("rb") as file:
        head = file.read(_ENTRIES_AT)
        count = int.from_bytes(head[_NUM_ENTRIES_AT:], "big")
        table = file.read(count * _ENTRY.size)
    if head[:4] != b"QTBL" or len(table) < count * _ENTRY.size:
        raise DataError(
            f"source queen: {path} starts with {head[:4]!r}; expected b'QTBL' and an index: remove "
            "the folder and run egs/mini/local/install_sources.sh queen"
        )
    places = {}
    for raw_name, _bundle, offset, size in _ENTRY.iter_unpack(table):
        places[raw_name.split(b"\0")[0].decode("ascii")] = _Place(offset, size)
    return places
