"""Asterisk's music on hold: five tracks at 16 kHz (G.722)."""

from collections.abc import Iterator
from pathlib import Path

from egs.mini.local.sources.g722 import read_g722
from egs.mini.local.sources.protocol import Recording, Waveform
from egs.mini.local.sources.unpacked import unpacked_file

_FOLDER = "usr/share/asterisk/moh"
_PIECE_S = 10
_MAX_PIECES = 12
_BYTES_PER_S = 8000


class AsteriskMusic:
    """Two minutes of each track."""

    licence = "CC-BY-SA-3.0 (opsound.org)"

    def __init__(self, downloads: Path) -> None:
        self._root = unpacked_file(downloads, "asterisk_music", _FOLDER)

    def recordings(self) -> Iterator[Recording]:
        """Track by track."""
        for path in sorted(self._root.glob("*.g722")):
            for number in range(min(_MAX_PIECES, path.stat().st_size // (_PIECE_S * _BYTES_PER_S))):
                yield Recording(f"{path.stem}/{number:02d}", "asterisk_music", kind="music")

    def load(self, recording: Recording) -> Waveform:
        """Decodes one track and takes the piece."""
        track, number = recording.name.rsplit("/", 1)
        whole = read_g722(self._root / f"{track}.g722")
        start = int(number) * _PIECE_S * whole.sample_rate
        return Waveform(
            whole.samples[start : start + _PIECE_S * whole.sample_rate], whole.sample_rate
        )
