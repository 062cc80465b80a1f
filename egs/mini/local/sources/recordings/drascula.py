"""Drascula: 783 lines of dialogue, raw unsigned 8 bits at 11,025 Hz, without text.

The letters before the number name the part (VB: von Braun, BJ: the girl); no letters is the hero.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from egs.mini.local.sources.protocol import Recording, Waveform
from egs.mini.local.sources.unpacked import unpacked_file

_FOLDER = "usr/share/scummvm/drascula/en"


class Drascula:
    """The files that end in ALS."""

    licence = "Drascula licence (free with notice; (C) Alcachofa Soft)"

    def __init__(self, downloads: Path) -> None:
        self._root = unpacked_file(downloads, "drascula", _FOLDER)

    def recordings(self) -> Iterator[Recording]:
        """By name."""
        for path in sorted(self._root.glob("*.ALS")):
            letters = re.match("[A-Z]*", path.stem)
            part = letters[0].lower() if letters and letters[0] else "hero"
            yield Recording(path.stem, f"drascula_{part}")

    def load(self, recording: Recording) -> Waveform:
        """Reads the bytes."""
        data = (self._root / f"{recording.name}.ALS").read_bytes()
        samples = np.frombuffer(data, dtype=np.uint8).astype(np.float32)
        return Waveform((samples - 128.0) / 128.0, 11025)
