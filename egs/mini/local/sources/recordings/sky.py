"""Beneath a Steel Sky: 3,585 lines of dialogue, 8 bits at 11,025 Hz, without text.

The index sky.dnr says where the files of sky.dsk lie; those of the speech are numbered from 50000
on, in seven blocks, one for each part of the game. Who speaks is not in the files, so a block
counts as one speaker although several actors are heard in it.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from egs.mini.local.sources.protocol import Recording, Waveform
from egs.mini.local.sources.recordings.rnc import unpack
from egs.mini.local.sources.unpacked import unpacked_file
from latentspeech.core.errors import DataError

_FOLDER = "usr/share/scummvm/beneath-a-steel-sky"
_FIRST, _LAST = 50000, 59999
_BLOCK_STARTS = (0, 600, 1100, 2430, 3380, 4530, 5080)
_HEADER_BYTES = 22
_SAMPLE_RATE = 11025


class Sky:
    """Reads the two files of the game."""

    licence = "Beneath a Steel Sky licence (free with notice; (C) Revolution Software)"

    def __init__(self, downloads: Path) -> None:
        self._disk = unpacked_file(downloads, "sky", f"{_FOLDER}/sky.dsk")
        self._places = _read_index(unpacked_file(downloads, "sky", f"{_FOLDER}/sky.dnr"))

    def recordings(self) -> Iterator[Recording]:
        """By number."""
        for number in sorted(self._places):
            block = bisect_right(_BLOCK_STARTS, number - _FIRST) - 1
            yield Recording(str(number), f"sky_part{block}")

    def load(self, recording: Recording) -> Waveform:
        """Unpacks unsigned 8-bit samples."""
        offset, size = self._places[int(recording.name)]
        with self._disk.open("rb") as file:
            file.seek(offset)
            data = file.read(size)
        try:
            samples = np.frombuffer(unpack(data[_HEADER_BYTES:]), dtype=np.uint8)
        except DataError as error:
            raise DataError(f"source sky: clip {recording.name}: {error}") from None
        return Waveform((samples.astype(np.float32) - 128.0) / 128.0, _SAMPLE_RATE)


def _read_index(path: Path) -> dict[int, tuple[int, int]]:
    """Offset and size of each clip of speech, by number.

    An entry is a number (2 bytes), an offset (3; the top bit: in units of 16 bytes) and a size (3),
    whose top two bits mark what is stored in another way: pictures and palettes here.
    """
    data = path.read_bytes()
    (count,) = struct.unpack_from("<I", data)
    if len(data) < 4 + 8 * count:
        raise DataError(
            f"source sky: {path} is shorter than its {count} entries; "
            "remove the folder and run egs/mini/local/install_sources.sh sky"
        )
    places = {}
    for start in range(4, 4 + 8 * count, 8):
        number = int.from_bytes(data[start : start + 2], "little")
        offset = int.from_bytes(data[start + 2 : start + 5], "little")
        size = int.from_bytes(data[start + 5 : start + 8], "little")
        if offset & 0x800000:
            offset = (offset & 0x7FFFFF) << 4
        if _FIRST <= number <= _LAST and size < 1 << 22:
            places[number] = (offset, size)
    return places
