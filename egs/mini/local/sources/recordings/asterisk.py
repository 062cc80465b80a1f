"""Asterisk's English prompts: one woman, 25 minutes at 16 kHz (G.722), with their text."""

import gzip
from collections.abc import Iterable, Iterator
from pathlib import Path

from egs.mini.local.sources.g722 import check_decoder, read_g722
from egs.mini.local.sources.protocol import Recording, Waveform
from egs.mini.local.sources.unpacked import unpacked_file

_TRANSCRIPT = "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
_SOUNDS = "usr/share/asterisk/sounds/en_US_f_Allison"


class Asterisk:
    """The prompts that hold words; tones and noises are left out."""

    licence = "CC-BY-SA-3.0 (Allison Smith, Digium)"

    def __init__(self, downloads: Path) -> None:
        check_decoder("asterisk")
        self._transcript = unpacked_file(downloads, "asterisk", _TRANSCRIPT)
        self._sounds = unpacked_file(downloads, "asterisk", _SOUNDS)

    def recordings(self) -> Iterator[Recording]:
        """In the order of the transcript."""
        with gzip.open(self._transcript, "rt", encoding="utf-8") as file:
            lines = file.read().splitlines()
        for name, text in parse_transcript(lines):
            if (self._sounds / f"{name}.g722").is_file():
                yield Recording(name, "asterisk_allison", text)

    def load(self, recording: Recording) -> Waveform:
        """Decodes the G.722 file."""
        return read_g722(self._sounds / f"{recording.name}.g722")


def parse_transcript(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(file name, text) of the lines that state words; comments and [noises] are skipped."""
    for line in lines:
        name, separator, text = line.partition(":")
        text = " ".join(text.replace("...", " ").split())
        if separator and not line.startswith(";") and text and not set(text) & set("[]()<>"):
            yield name.strip(), text
