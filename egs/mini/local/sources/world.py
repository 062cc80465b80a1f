"""Copies of another source's voices with other vocal tracts and pitches, by the vocoder WORLD.

Morise et al. 2016. A speaker's utterances take turns: one copy with formants about 15 % higher and
the pitch moved up, the next with both lower; 0.04 more or less between speakers, so that two of
them do not come closer than they were. Pitch alone makes no new speaker, formants do. About ten
times real time.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
from numpy.typing import NDArray

from latentspeech.core.errors import DataError
from latentspeech.core.tensors import derive_seed
from latentspeech.data.manifest import MANIFEST_NAME
from sources.protocol import Recording, Waveform

_COPIED_SOURCE = "kokoro"
_INSTALL = "run egs/mini/local/install_sources.sh world"
_FORMANT_SHIFT, _FORMANT_SPREAD = 0.15, 0.04
_PITCH_PER_FORMANT = 1.6  # a shorter tract goes with a higher voice


class Shift(NamedTuple):
    """Factors for the formants and the pitch."""

    formants: float
    pitch: float


class World:
    """Reads the corpus that is being made; the copies of a speaker are two new ones."""

    licence = "Apache-2.0"  # of what is copied, which each line states

    def __init__(self, corpus: Path, left_out: frozenset[str]) -> None:
        try:
            import pyworld  # noqa: F401
        except ImportError as error:
            raise DataError(f"pyworld is not installed ({error}); {_INSTALL}") from None
        self._corpus = corpus
        self._rows = {}
        manifest = corpus / MANIFEST_NAME
        lines = manifest.read_text(encoding="utf-8").split("\n") if manifest.is_file() else []
        for line in filter(str.strip, lines):
            row = json.loads(line)
            if row["source"] == _COPIED_SOURCE and row["speaker"] not in left_out:
                self._rows[row["id"]] = row
        if not self._rows:
            raise DataError(
                f"source world: {manifest} has no utterances of {_COPIED_SOURCE} to copy; "
                f"make some first, with {_COPIED_SOURCE} in --sources"
            )

    def recordings(self) -> Iterator[Recording]:
        """By the hash of the id, so that a part of them has all speakers."""
        way_of = {}
        count: dict[str, int] = defaultdict(int)
        for name in sorted(self._rows):
            speaker = self._rows[name]["speaker"]
            way_of[name] = ("up", "down")[count[speaker] % 2]
            count[speaker] += 1
        for name in sorted(self._rows, key=lambda name: hashlib.sha256(name.encode()).digest()):
            row, way = self._rows[name], way_of[name]
            yield Recording(
                f"{way}-{name}", f"{row['speaker']}_{way}", row["text"], licence=row["licence"]
            )

    def load(self, recording: Recording) -> Waveform:
        """Analyses the original and speaks it again."""
        row = self._rows[recording.name.split("-", 1)[1]]
        path = self._corpus / row["audio"]
        try:
            samples, rate = soundfile.read(path, dtype="float64")
        except (soundfile.SoundFileError, OSError) as error:
            raise DataError(f"source world: {path} cannot be read ({error})") from None
        shifted = shift_voice(samples, rate, shift_of(recording.speaker))
        return Waveform(shifted, rate, tuple(row.get("symbol_ends_s", ())))


def shift_of(speaker: str) -> Shift:
    """The same for all utterances of a copy; `speaker` ends in _up or _down."""
    rng = np.random.default_rng(derive_seed(0, f"world {speaker}"))
    way = 1 if speaker.endswith("_up") else -1
    formants = way * (_FORMANT_SHIFT + rng.uniform(-_FORMANT_SPREAD, _FORMANT_SPREAD))
    return Shift(1 + formants, 1 + _PITCH_PER_FORMANT * formants + rng.uniform(-0.05, 0.05))


def shift_voice(
    samples: NDArray[np.float64], sample_rate: int, shift: Shift
) -> NDArray[np.float32]:
    """(T,) -> (T',): the spectral envelope stretched along frequency, the pitch multiplied."""
    import pyworld

    pitch, times = pyworld.dio(samples, sample_rate)
    pitch = pyworld.stonemask(samples, pitch, times, sample_rate)  # (N,)
    envelope = pyworld.cheaptrick(samples, pitch, times, sample_rate)  # (N, K)
    aperiodicity = pyworld.d4c(samples, pitch, times, sample_rate)  # (N, K)
    bins = np.arange(envelope.shape[1])
    below = np.minimum(bins / shift.formants, bins[-1])
    lower = np.minimum(below.astype(int), bins[-1] - 1)
    part = below - lower
    logs = np.log(envelope)
    stretched = np.exp(logs[:, lower] * (1 - part) + logs[:, lower + 1] * part)
    spoken = pyworld.synthesize(
        pitch * shift.pitch, np.ascontiguousarray(stretched), aperiodicity, sample_rate
    )
    result: NDArray[np.float32] = spoken.astype(np.float32)
    return result
