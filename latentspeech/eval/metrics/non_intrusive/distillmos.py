"""DistillMOS: predicted opinion scores without a reference, package `distillmos` (weights inside).

Stahl and Gamper, Distillation and Pruning for Scalable Self-Supervised Representation-Based Speech
Quality Assessment, 2025, arXiv 2502.05356: a small network that learned the scores of a wav2vec 2.0
XLS-R assessor. It hears the roughness that DNSMOS, which was made for noise suppression, passes
over. The network takes 7.68 s: a shorter clip is filled up with zeros, and a longer one has the
mean of windows at most a second apart, as in the package. Each window is scaled to a peak of 1.
"""

import contextlib
import io
import math
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.audio.signal_check import check_signal
from latentspeech.core.device import CPU, describe_device
from latentspeech.core.eval.scorer import Score, package_version, require_packages
from latentspeech.eval.metrics.audio_scorer import AudioScorer

SAMPLE_RATE = 16000
WINDOW_SAMPLES = 122880
_PACKAGES = {"distillmos": "distillmos", "xls_r_sqa": "xls-r-sqa"}


class DistillMos(AudioScorer):
    """DistillMOS, version 7 of its weights; its range is 1 to 5."""

    name = "DistillMOS"
    unit = "MOS"
    higher_is_better = True

    def __init__(self, device: torch.device = CPU) -> None:
        self.device = device

    def prepare(self) -> None:
        """Loads the network."""
        require_packages(self.name, _PACKAGES)
        _ = self._network

    def describe(self) -> dict[str, Any]:
        """Describes the network, the sample rate, the package and how clips are scored."""
        return {
            "metric": self.name,
            "model": "DistillMOS v7, distilled from XLS-R",
            "sample_rate": SAMPLE_RATE,
            "package": package_version("distillmos"),
            "lengths": "zeros up to 7.68 s, mean of windows at most 1 s apart",
            "aggregation": "mean over utterances",
            **describe_device(self.device),
        }

    @torch.inference_mode()
    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """DistillMOS of one clip, window by window; silence is scored like any other clip."""
        self.prepare()
        audio = check_signal("hypothesis", hypothesis, sample_rate)
        audio = resample(audio, sample_rate, SAMPLE_RATE)  # (T,)
        spare = max(0, audio.numel() - WINDOW_SAMPLES)
        num_windows = math.ceil(spare / SAMPLE_RATE) + 1
        starts = [int(spare * number / max(1, num_windows - 1)) for number in range(num_windows)]
        windows = [audio[None, start : start + WINDOW_SAMPLES] for start in starts]
        values = [float(self._network(window.to(self.device))) for window in windows]
        details = {"duration_s": hypothesis.numel() / sample_rate, "num_windows": num_windows}
        return Score(math.fsum(values) / num_windows, details)

    @cached_property
    def _network(self) -> Any:
        from distillmos import ConvTransformerSQAModel

        with contextlib.redirect_stdout(io.StringIO()):  # it prints where its weights are
            return ConvTransformerSQAModel().eval().to(self.device)
