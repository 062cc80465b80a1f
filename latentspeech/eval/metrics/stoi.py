"""STOI: short-time objective intelligibility, about 0 to 1 (Taal et al., 2011), package `pystoi`.

The package gets the pair at its native rate and resamples to 10 kHz with its own (Octave's) filter,
so that the value equals what others report. It keeps all windows of 0.4 s in memory, so pairs over
two minutes are split into equal blocks of at most two minutes and the blocks' values are averaged.
"""

import math
import warnings
from typing import Any

from torch import Tensor

from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import Score, package_version, require_packages
from latentspeech.eval.metrics.audio_scorer import AudioScorer, align_pair, measure_blocks

MAX_BLOCK_S = 120.0
# 30 half-overlapping frames of 256 samples at the measure's 10 kHz; with less speech pystoi
# returns 1e-5.
MIN_SPEECH_S = 0.4
# With less than two frames pystoi fails on empty arrays instead.
_FRAME_S = 256 / 10000


class Stoi(AudioScorer):
    """Classic (not extended) STOI."""

    name = "STOI"
    unit = ""
    higher_is_better = True
    held_against = "reference"
    cuts_to_common_length = True

    def prepare(self) -> None:
        """Checks the package."""
        require_packages(self.name, {"pystoi": "pystoi"})

    def describe(self) -> dict[str, Any]:
        """Describes the variant, the sample rate, the package and how lengths are treated."""
        return {
            "metric": self.name,
            "model": "STOI (Taal 2011), not extended",
            "sample_rate": "native; 10000 inside the package",
            "package": package_version("pystoi"),
            "lengths": "both cut to the common length, the reference's silent frames left out; "
            "over 120 s the mean of equal blocks",
            "aggregation": "mean over utterances",
        }

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """Scores one pair; a silent hypothesis gets 0."""
        self.prepare()
        pair = align_pair(self.name, reference, hypothesis, sample_rate)
        values = measure_blocks(
            pair.reference,
            pair.hypothesis,
            MAX_BLOCK_S * sample_rate,
            lambda clean, tested: _stoi(clean, tested, sample_rate),
        )
        if not values:
            raise InputError(
                f"{self.name} expects at least {MIN_SPEECH_S} s of speech that is not silent; "
                f"found a common length of {pair.details['duration_s']:.3f} s with less"
            )
        details = {**pair.details, "num_blocks": len(values)}
        return Score(math.fsum(values) / len(values), details)


def _stoi(reference: Tensor, hypothesis: Tensor, sample_rate: int) -> float | None:
    """Returns the package's value; None if the reference has too little speech for one."""
    import pystoi

    if reference.numel() <= 2 * _FRAME_S * sample_rate:
        return None
    clean, tested = reference.double().numpy(), hypothesis.double().numpy()
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="Not enough STFT frames")
        try:
            return float(pystoi.stoi(clean, tested, sample_rate))
        except RuntimeWarning:
            return None
