"""Freedoom: sound effects, 8 bits at 11,025 or 22,050 Hz, inside a WAD.

A WAD is a header (magic, number of lumps, place of the directory), lumps, and a directory of place,
size and name. A lump DS... is a sound: format 3, rate, number of samples, then unsigned bytes.
"""

import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from egs.mini.local.sources.protocol import Recording, Waveform
from egs.mini.local.sources.unpacked import unpacked_file
from latentspeech.core.errors import DataError

_WAD = "usr/share/games/doom/freedoom2.wad"
_SOUND_FORMAT = 3


class Freedoom:
    """The sounds of the second WAD, which has those of the first."""

    licence = "BSD-3-Clause (Freedoom project)"

    def __init__(self, downloads: Path) -> None:
        path = unpacked_file(downloads, "freedoom", _WAD)
        self._data = path.read_bytes()
        magic, count, directory = struct.unpack_from("<4sII", self._data)
        if magic not in (b"IWAD", b"PWAD") or directory + 16 * count > len(self._data):
            raise DataError(f"source freedoom: {path} starts with {magic!r}; expected a whole WAD")
        self._lumps = {}
        for index in range(count):
            place, size, name = struct.unpack_from("<II8s", self._data, directory + 16 * index)
            if name.startswith(b"DS") and size > 8:
                self._lumps[name.rstrip(b"\0").decode("ascii")] = (place, size)

    def recordings(self) -> Iterator[Recording]:
        """By name."""
        for name in sorted(self._lumps):
            yield Recording(name, "freedoom_effects", kind="effect")

    def load(self, recording: Recording) -> Waveform:
        """Reads the samples of a lump."""
        place, size = self._lumps[recording.name]
        kind, rate, count = struct.unpack_from("<HHI", self._data, place)
        if kind != _SOUND_FORMAT or not rate or count > size - 8:
            raise DataError(f"source freedoom: lump {recording.name} is no sound of format 3")
        raw = np.frombuffer(self._data, np.uint8, count, place + 8).astype(np.float32)
        return Waveform((raw - 128.0) / 128.0, rate)
