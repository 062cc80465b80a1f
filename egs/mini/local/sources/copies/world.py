"""Copies of another source's voices with other vocal tracts and pitches, by the vocoder WORLD.

Morise et al. 2016. One copy of a speaker has formants about 15 % higher and the pitch moved up, the
other both lower; 0.04 more or less between speakers, so that two of them do not come closer than
they were. Pitch alone makes no new speaker, formants do. About ten times real time.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from egs.mini.local.sources.copies.contract import Copies
from egs.mini.local.sources.protocol import Waveform
from latentspeech.core.errors import DataError
from latentspeech.core.seeds import derive_seed

_INSTALL = "run egs/mini/local/install_sources.sh world"
_FORMANT_SHIFT, _FORMANT_SPREAD = 0.15, 0.04
_PITCH_PER_FORMANT = 1.6  # a shorter tract goes with a higher voice


class Shift(NamedTuple):
    """Factors for the formants and the pitch."""

    formants: float
    pitch: float


class World(Copies):
    """Two copies of each voice of kokoro."""

    ways = ("up", "down")

    def __init__(self, corpus: Path, left_out: frozenset[str]) -> None:
        try:
            import pyworld  # noqa: F401
        except ImportError as error:
            raise DataError(f"pyworld is not installed ({error}); {_INSTALL}") from None
        super().__init__("world", "kokoro", corpus, left_out)

    def copy(self, samples: NDArray[np.float64], sample_rate: int, speaker: str) -> Waveform:
        """Analyses the original and speaks it again."""
        return Waveform(shift_voice(samples, sample_rate, shift_of(speaker)), sample_rate)


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
