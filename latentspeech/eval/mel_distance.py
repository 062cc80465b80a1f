"""Mel distance as DAC configures it (Kumar et al., 2023, arXiv 2306.06546): the paper's `Mel`.

At each of seven scales (windows 32 to 2048, 5 to 320 mels) the mean absolute difference of the
log10 mel magnitudes, floored at 1e-5; the sum over the scales. This is what DAC trains with, not
the defaults of its class (two scales, power 2), which give another number. The value depends on the
sample rate, so all audio is brought to one rate first.
"""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.audio.mel import DAC_MEL_SCALES, LOG_FLOOR, MelBank
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.eval.scorer import Score, Scorer, align_pair, package_version

DEFAULT_SAMPLE_RATE = 24000
# Below this the narrowest filters of the seven scales fall between two bins of the spectrum.
MIN_SAMPLE_RATE = 16000


class MelDistance(Scorer):
    """Sum over DAC's seven scales of the mean L1 distance of log10 mels."""

    name = "Mel"
    unit = "log10"
    higher_is_better = False
    needs_reference = True

    def __init__(self, sample_rate: int = DEFAULT_SAMPLE_RATE) -> None:
        if sample_rate < MIN_SAMPLE_RATE:
            raise ConfigError(
                f"mel distance at {sample_rate} Hz has empty filters; "
                f"use a sample rate of at least {MIN_SAMPLE_RATE} Hz"
            )
        self.sample_rate = sample_rate

    def describe(self) -> dict[str, Any]:
        """The scales, the floor, the rate and how lengths are treated."""
        return {
            "metric": self.name,
            "model": "DAC training configuration: Slaney mels, magnitude, log10, sum over 7 scales",
            "windows": [scale.window_length for scale in DAC_MEL_SCALES],
            "num_mels": [scale.num_mels for scale in DAC_MEL_SCALES],
            "floor": LOG_FLOOR,
            "sample_rate": self.sample_rate,
            "package": package_version("torchaudio"),
            "lengths": "both cut to the common length",
            "aggregation": "mean over utterances",
        }

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """Mel distance of one pair; a silent hypothesis counts as the floor at every band."""
        pair = align_pair(self.name, reference, hypothesis, sample_rate)
        clean = resample(pair.reference, sample_rate, self.sample_rate)
        tested = resample(pair.hypothesis, sample_rate, self.sample_rate)
        longest = DAC_MEL_SCALES[-1].window_length
        if clean.numel() <= longest:
            raise InputError(
                f"common length is {pair.details['duration_s']:.3f} s; "
                f"{self.name} expects more than {longest / self.sample_rate:.3f} s"
            )
        with torch.no_grad():
            both = torch.stack([clean, tested])  # (2, T)
            scales = [_mean_difference(bank(both)) for bank in self._banks]
        return Score(sum(scales), {**pair.details, "scales": scales})

    @cached_property
    def _banks(self) -> list[MelBank]:
        return [MelBank(scale, self.sample_rate) for scale in DAC_MEL_SCALES]


def _mean_difference(log_mels: Tensor) -> float:
    """(2, N, M) -> mean |first - second|."""
    return float((log_mels[0] - log_mels[1]).abs().mean(dtype=torch.float64))
