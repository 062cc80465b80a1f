"""SI-SDR: scale-invariant signal-to-distortion ratio, dB (Le Roux et al., 2019, arXiv 1811.02508).

Means are removed from both signals first, as DAC's loss does. The measure compares sample by sample
and searches no delay: a copy that is late by one sample loses many dB, and a vocoder that keeps no
phase scores below zero however good it sounds.

T samples.
"""

import math
from typing import Any

from torch import Tensor

from latentspeech.audio.signal_check import is_silent
from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import Score
from latentspeech.eval.metrics.audio_scorer import AudioScorer, align_pair


class SiSdr(AudioScorer):
    """SI-SDR at the rate of the pair."""

    name = "SI-SDR"
    unit = "dB"
    higher_is_better = True
    held_against = "reference"
    cuts_to_common_length = True

    def describe(self) -> dict[str, Any]:
        """Describes the definition, the sample rate and how lengths and delays are treated."""
        return {
            "metric": self.name,
            "model": "SI-SDR (Le Roux 2019), means removed, float64",
            "sample_rate": "native",
            "lengths": "both cut to the common length; no delay is searched",
            "aggregation": "mean over utterances",
        }

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """Scores one pair; InputError for silence (undefined) and for an exact copy (infinite)."""
        pair = align_pair(self.name, reference, hypothesis, sample_rate)
        if is_silent(pair.hypothesis):
            raise InputError(f"hypothesis audio is silent; {self.name} is undefined for it")
        clean = pair.reference.double()  # (T,)
        tested = pair.hypothesis.double()
        clean, tested = clean - clean.mean(), tested - tested.mean()
        energy = float(clean.square().sum())
        for role, signal_energy in ("reference", energy), ("hypothesis", float(tested @ tested)):
            if signal_energy == 0.0:
                raise InputError(f"{role} audio is constant; {self.name} expects speech in it")
        target = float(clean @ tested) / energy * clean  # (T,)
        signal = float(target.square().sum())
        distortion = float((tested - target).square().sum())
        # float32 samples have 24 bits: above 150 dB the ratio only measures how they were rounded.
        if distortion <= signal * 1e-15:
            raise InputError(
                f"hypothesis equals the reference up to a gain; {self.name} of a copy is infinite; "
                "expected audio that went through a system"
            )
        if signal == 0.0:
            raise InputError(
                f"hypothesis has nothing of the reference; {self.name} is minus infinity"
            )
        return Score(10.0 * math.log10(signal / distortion), pair.details)
