"""PESQ-WB: wide-band perceptual quality, 1.04 to 4.64 (ITU-T P.862.2, 2007), package `pesq`.

This differs from a bare call of the package in one way. The package's C code has room for 50
stretches of speech and overruns its tables (a crash, or silently wrong numbers) if a recording has
more. In that code a stretch and the pause after it last at least 0.4 s, so pairs over 20 s are
split into equal blocks of at most 20 s and the blocks' values are averaged. Up to 20 s the value is
the package's own.
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.audio.signal_check import is_silent
from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import Score, package_version, require_packages
from latentspeech.eval.metrics.audio_scorer import AudioScorer, align_pair, measure_blocks

SAMPLE_RATE = 16000
MAX_BLOCK_S = 20.0
MIN_DURATION_S = 0.25


class PesqWideBand(AudioScorer):
    """PESQ-WB at 16 kHz."""

    name = "PESQ-WB"
    unit = "MOS-LQO"
    higher_is_better = True
    held_against = "reference"
    cuts_to_common_length = True

    def prepare(self) -> None:
        """Checks the package."""
        require_packages(self.name, {"pesq": "pesq"})

    def describe(self) -> dict[str, Any]:
        """Describes the standard, the sample rate, the package and how lengths are treated."""
        return {
            "metric": self.name,
            "model": "ITU-T P.862.2 wide band",
            "sample_rate": SAMPLE_RATE,
            "package": package_version("pesq"),
            "lengths": "both cut to the common length; over 20 s the mean of equal blocks",
            "aggregation": "mean over utterances",
        }

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """Scores one pair; InputError for a silent hypothesis, for which PESQ is undefined."""
        self.prepare()
        pair = align_pair(self.name, reference, hypothesis, sample_rate)
        if pair.details["duration_s"] < MIN_DURATION_S:
            raise InputError(
                f"common length is {pair.details['duration_s']:.3f} s; "
                f"{self.name} expects at least {MIN_DURATION_S} s"
            )
        clean = resample(pair.reference, sample_rate, SAMPLE_RATE)
        tested = resample(pair.hypothesis, sample_rate, SAMPLE_RATE)
        values = measure_blocks(clean, tested, MAX_BLOCK_S * SAMPLE_RATE, _pesq)
        details = {**pair.details, "num_blocks": len(values)}
        return Score(math.fsum(values) / len(values), details)


def _pesq(reference: Tensor, hypothesis: Tensor) -> float:
    import pesq

    if is_silent(hypothesis):
        raise InputError("hypothesis audio is silent; PESQ-WB is undefined for it")
    measure: Callable[..., float] = pesq.pesq
    clean, tested = (np.ascontiguousarray(x.numpy()) for x in (reference, hypothesis))
    try:
        return float(measure(SAMPLE_RATE, clean, tested, "wb"))
    except pesq.NoUtterancesError:
        raise InputError("PESQ-WB found no speech; expected a spoken utterance") from None
    except (pesq.PesqError, ValueError) as error:
        raise InputError(f"PESQ-WB cannot measure this pair: {error}") from None
