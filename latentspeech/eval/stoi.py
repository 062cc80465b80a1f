"""STOI: short-time objective intelligibility, about 0 to 1 (Taal et al., 2011), package `pystoi`.

The pair goes in at its native rate; the package resamples to 10 kHz by its own (Octave's) filter,
so that the value is the one others report.
"""

import warnings
from typing import Any

from torch import Tensor

from latentspeech.core.errors import InputError
from latentspeech.eval.scorer import Score, Scorer, align_pair, package_version, require_packages

# 30 half-overlapping frames of 256 samples at the measure's 10 kHz; below, pystoi returns 1e-5.
MIN_SPEECH_S = 0.4
# With not even two frames pystoi fails on empty arrays instead.
_FRAME_S = 256 / 10000


class Stoi(Scorer):
    """Classic (not extended) STOI."""

    name = "STOI"
    unit = ""
    higher_is_better = True
    needs_reference = True

    def __init__(self) -> None:
        require_packages(self.name, {"pystoi": "pystoi"})

    def describe(self) -> dict[str, Any]:
        """The variant, the rate, the package and how lengths are treated."""
        return {
            "metric": self.name,
            "model": "STOI (Taal 2011), not extended",
            "sample_rate": "native; 10000 inside the package",
            "package": package_version("pystoi"),
            "lengths": "both cut to the common length; the reference's silent frames are left out",
            "aggregation": "mean over utterances",
        }

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """STOI of one pair; a silent hypothesis scores 0."""
        import pystoi

        pair = align_pair(self.name, reference, hypothesis, sample_rate)
        too_short = (
            f"{self.name} expects at least {MIN_SPEECH_S} s of speech that is not silent; found a "
            f"common length of {pair.details['duration_s']:.3f} s with less"
        )
        if pair.details["duration_s"] <= 2 * _FRAME_S:
            raise InputError(too_short)
        clean, tested = pair.reference.double().numpy(), pair.hypothesis.double().numpy()
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="Not enough STFT frames")
            try:
                value = float(pystoi.stoi(clean, tested, sample_rate))
            except RuntimeWarning:
                raise InputError(too_short) from None
        return Score(value, pair.details)
