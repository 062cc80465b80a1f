"""PocketSphinx's test data: ten read sentences and card names at 16 kHz, with their text.

The sentences are one reader's of LibriVox, the cards another's; the three raw files are a third's.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from egs.mini.local.sources.file_recordings import AudioPiece, FileRecordings
from egs.mini.local.sources.protocol import Recording, Waveform
from egs.mini.local.sources.unpacked import unpacked_file

_FOLDER = "usr/share/pocketsphinx/test/data"
_LINE = re.compile(r"<s>(.*)</s>\s*\((.+)\)")
_RAW = {"goforward": "go forward ten meters", "numbers": "", "something": ""}


class PocketSphinx:
    """Two folders of WAV files with a transcription, and raw 16-bit files."""

    licence = "BSD-2-Clause (CMU); sentences: public domain (LibriVox)"

    def __init__(self, downloads: Path) -> None:
        self._root = unpacked_file(downloads, "pocketsphinx", _FOLDER)
        self._files = FileRecordings(
            self.licence,
            [
                *self._transcribed("librivox", "transcription", "pocketsphinx_librivox"),
                *self._transcribed("cards", "cards.transcription", "pocketsphinx_cards"),
            ],
        )

    def recordings(self) -> Iterator[Recording]:
        """Sentences, cards, then the raw files."""
        yield from self._files.recordings()
        for name, text in _RAW.items():
            yield Recording(name, "pocketsphinx_raw", text)

    def load(self, recording: Recording) -> Waveform:
        """Decodes one."""
        if recording.name not in _RAW:
            return self._files.load(recording)
        data = (self._root / f"{recording.name}.raw").read_bytes()
        return Waveform(np.frombuffer(data, dtype="<i2").astype(np.float32) / 32768.0, 16000)

    def _transcribed(self, folder: str, transcription: str, speaker: str) -> Iterator[AudioPiece]:
        path = self._root / folder / transcription
        for line in path.read_text(encoding="utf-8").splitlines():
            if found := _LINE.match(line):
                text = " ".join(found[1].split())
                wave = self._root / folder / f"{found[2]}.wav"
                yield AudioPiece(Recording(f"{folder}/{found[2]}", speaker, text), wave)
