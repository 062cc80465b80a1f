"""Asterisk's English prompts: one woman, 25 minutes at 16 kHz (G.722), with their text."""

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from latentspeech.core.errors import DataError
from sources.protocol import TranscribedRecording, Waveform

_INSTALL = "run egs/mini/local/install_sources.sh asterisk"
_TRANSCRIPT = "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
_SOUNDS = "usr/share/asterisk/sounds/en_US_f_Allison"


class Asterisk:
    """The prompts that hold words; tones and noises are left out."""

    licence = "CC-BY-SA-3.0 (Allison Smith, Digium)"

    def __init__(self, downloads: Path) -> None:
        try:
            import av
        except ImportError:
            raise DataError(
                f"the package av, which decodes G.722, is missing; {_INSTALL}"
            ) from None
        self._open = av.open
        self._root = downloads / "asterisk"
        if not (self._root / _TRANSCRIPT).is_file():
            raise DataError(f"no Asterisk prompts in {self._root}; {_INSTALL}")

    def recordings(self) -> Iterator[TranscribedRecording]:
        """In the order of the transcript."""
        with gzip.open(self._root / _TRANSCRIPT, "rt", encoding="utf-8") as file:
            lines = file.read().splitlines()
        for name, text in parse_transcript(lines):
            if self._path(name).is_file():
                yield TranscribedRecording(name, "asterisk_allison", text)

    def load(self, recording: TranscribedRecording) -> Waveform:
        """Decodes the G.722 file; the format has no header and is always 16 kHz mono."""
        path = self._path(recording.name)
        with self._open(str(path), format="g722") as container:
            blocks = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
        if not blocks:
            raise DataError(f"{path} holds no audio; remove {self._root} and {_INSTALL}")
        return Waveform(np.concatenate(blocks).astype(np.float32) / 32768.0, 16000)

    def _path(self, name: str) -> Path:
        return self._root / _SOUNDS / f"{name}.g722"


def parse_transcript(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(file name, text) of the lines that state words; comments and [noises] are skipped."""
    for line in lines:
        name, separator, text = line.partition(":")
        text = " ".join(text.replace("...", " ").split())
        if separator and not line.startswith(";") and text and not set(text) & set("[]()<>"):
            yield name.strip(), text
