"""What sources of copied voices share: each voice of another source becomes two new ones.

A source of copies reads the corpus that is being made. Of a speaker's utterances the first two go
to one new voice, the next two to the other, and so on: a single one would have no prompt beside it.
Held-out voices are not copied.
"""

import hashlib
import json
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import soundfile
from numpy.typing import NDArray

from egs.mini.local.sources.protocol import Recording, Waveform
from egs.mini.local.sources.terms import SEVERAL_PEOPLE
from latentspeech.core.errors import DataError
from latentspeech.data.manifest import MANIFEST_NAME

# What follows the name of a speaker in that of his copies.
COPY_SUFFIXES = ("_up", "_down", "_fast", "_slow")


class Copies(ABC):
    """Makes two new speakers of each speaker of `copied`; their names end in `_WAY`."""

    licence = ""  # of what is copied, which each recording states
    ways: ClassVar[tuple[str, str]]

    def __init__(self, name: str, copied: str, corpus: Path, left_out: frozenset[str]) -> None:
        self._name = name
        self._corpus = corpus
        manifest = corpus / MANIFEST_NAME
        lines = manifest.read_text(encoding="utf-8").split("\n") if manifest.is_file() else []
        rows = [json.loads(line) for line in filter(str.strip, lines)]
        self._rows: dict[str, dict[str, Any]] = {
            row["id"]: row
            for row in rows
            if row["source"] == copied
            and row["speaker"] not in left_out
            and not row["speaker"].startswith(SEVERAL_PEOPLE)
        }
        if not self._rows:
            raise DataError(
                f"source {name}: {manifest} has no utterances of {copied} to copy; "
                f"make some first, with {copied} in --sources"
            )

    @abstractmethod
    def copy(self, samples: NDArray[np.float64], sample_rate: int, speaker: str) -> Waveform:
        """Samples (T,) as `speaker` says them, a name that ends in its way."""

    def stretch(self, speaker: str) -> float:
        """Factor by which all frequencies of the recording move; 1 if they stay."""
        del speaker
        return 1.0

    def recordings(self) -> Iterator[Recording]:
        """By the hash of speaker and pair, so that a part of them has all speakers, in pairs."""
        pair_of = {}
        count: dict[str, int] = defaultdict(int)
        for name in sorted(self._rows):
            speaker = self._rows[name]["speaker"]
            pair_of[name] = count[speaker] // 2
            count[speaker] += 1

        def place(name: str) -> tuple[bytes, str]:
            pair = f"{self._rows[name]['speaker']} {pair_of[name]}"
            return hashlib.sha256(pair.encode()).digest(), name

        for name in sorted(self._rows, key=place):
            row, way = self._rows[name], self.ways[pair_of[name] % 2]
            speaker = f"{row['speaker']}_{way}"
            yield Recording(
                f"{way}-{name}",
                speaker,
                row["text"],
                licence=row["licence"],
                native_rate_hz=round(row["native_rate_hz"] * self.stretch(speaker)),
            )

    def load(self, recording: Recording) -> Waveform:
        """Reads the original and copies it; times of its words keep their share of the length."""
        row = self._rows[recording.name.split("-", 1)[1]]
        path = self._corpus / row["audio"]
        try:
            samples, rate = soundfile.read(path, dtype="float64")
        except (soundfile.SoundFileError, OSError) as error:
            raise DataError(f"source {self._name}: {path} cannot be read ({error})") from None
        copy = self.copy(samples, rate, recording.speaker)
        longer = len(copy.samples) / copy.sample_rate / (len(samples) / rate)
        ends_s = tuple(end * longer for end in row.get("symbol_ends_s", ()))
        return copy._replace(symbol_ends_s=ends_s)
