"""Copies of another source's voices played faster or slower, as a tape is.

Ko et al. 2015, Audio augmentation for speech recognition, with steps large enough for another
speaker: formants and pitch move together by 15 to 22 %, and every sound is as clear as it was.
At 10 % Resemblyzer still takes copy and original for one voice (cosines of 0.82 to 0.91).
"""

import numpy as np
from numpy.typing import NDArray

from egs.mini.local.sources.copies.contract import Copies
from egs.mini.local.sources.protocol import Waveform
from latentspeech.core.seeds import derive_seed

_SLOW, _FAST = (0.8, 0.825, 0.85), (1.175, 1.2, 1.225)


class Speed(Copies):
    """States another sample rate for the same samples; the corpus writer resamples them."""

    ways = ("fast", "slow")

    def copy(self, samples: NDArray[np.float64], sample_rate: int, speaker: str) -> Waveform:
        """The same samples at the speed of this speaker."""
        return Waveform(samples.astype(np.float32), round(sample_rate * self.stretch(speaker)))

    def stretch(self, speaker: str) -> float:
        """The speed."""
        return speed_of(speaker)


def speed_of(speaker: str) -> float:
    """The same for all utterances of a copy; `speaker` ends in _fast or _slow."""
    rng = np.random.default_rng(derive_seed(0, f"speed {speaker}"))
    return float(rng.choice(_FAST if speaker.endswith("_fast") else _SLOW))
