"""Mel distance between a recording and its copy, in the four variants in circulation.

- `dac`: the training loss of DAC (Kumar et al., 2023, arXiv 2306.06546): seven scales.
- `dac-class`: the loss class of DAC with its default arguments: two scales, squared magnitudes, a
  linear term. DAC's own evaluation script and Codec-SUPERB report this one.
- `encodec`: the training loss of Encodec as released in audiocraft (Defossez et al., 2022,
  arXiv 2210.13438): five scales of 64 HTK mels, L1 of the power plus L2 of its log10.
- `vocos`: the training loss of Vocos (Siuzdak, 2023, arXiv 2306.00814): 100 HTK mels, natural log.

The four are not comparable with each other; docs/evaluation/signal_metrics.md says which of them
agree with published tables. All depend on the sample rate, so all audio is resampled to one rate
first. Sums are in float64 and run over blocks of frames, so that long audio needs no more memory.

T samples, N frames, W window_length, F = W // 2 + 1 bins, M num_mels.
"""

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import torch
import torchaudio
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.audio.mel import DAC_MEL_SCALES, HOPS_PER_WINDOW, MelScale
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.core.eval.scorer import Score, package_version
from latentspeech.eval.metrics.audio_scorer import AudioScorer, align_pair

DEFAULT_SAMPLE_RATE = 24000
# At lower rates the narrowest filters of the seven scales fall between two bins of the spectrum.
MIN_SAMPLE_RATE = 16000
_BLOCK_SAMPLES = 1 << 21


@dataclass(frozen=True)
class MelVariant:
    """Definition of a variant; the value is the sum over its scales, divided by `divisor`.

    The summand of a scale is log_weight * error(logs) + linear_weight * L1(mels); both errors are
    means over all frames and mels.
    """

    name: str
    unit: str  # "" if the value adds terms with two different units
    about: str
    scales: tuple[MelScale, ...]
    filters: Literal["slaney", "htk"]
    frequency_min: float
    spectrum: Literal["magnitude", "power"]
    unit_window: bool  # whether the window is divided by its L2 norm
    padding: Literal["centred", "whole_hops"]  # half a window at both ends, or N = ceil(T / hop)
    log: Literal["log10", "ln"]
    floor: float
    floor_by: Literal["clamp", "add"]
    log_error: Literal["L1", "L2"]
    log_weight: float
    linear_weight: float
    divisor: float


_DAC = MelVariant(
    name="Mel",
    unit="log10",
    about="DAC training configuration: Slaney mels, magnitude, log10, sum over 7 scales",
    scales=DAC_MEL_SCALES,
    filters="slaney",
    frequency_min=0.0,
    spectrum="magnitude",
    unit_window=False,
    padding="centred",
    log="log10",
    floor=1e-5,
    floor_by="clamp",
    log_error="L1",
    log_weight=1.0,
    linear_weight=0.0,
    divisor=1.0,
)
_DAC_CLASS = MelVariant(
    name="Mel-DAC-class",
    unit="",
    about="defaults of DAC's loss class: Slaney mels, log10 of squares plus magnitude, 2 scales",
    scales=(MelScale(2048, 150), MelScale(512, 80)),
    filters="slaney",
    frequency_min=0.0,
    spectrum="magnitude",
    unit_window=False,
    padding="centred",
    log="log10",
    floor=1e-5,
    floor_by="clamp",
    log_error="L1",
    log_weight=2.0,  # the log of a square is twice the log
    linear_weight=1.0,
    divisor=1.0,
)
_ENCODEC = MelVariant(
    name="Mel-Encodec",
    unit="",
    about="audiocraft msspec: HTK mels from 64 Hz, L1 of power plus L2 of log10, 5 scales",
    scales=tuple(MelScale(window, 64) for window in (64, 128, 256, 512, 1024)),
    filters="htk",
    frequency_min=64.0,
    spectrum="power",
    unit_window=True,
    padding="whole_hops",
    log="log10",
    floor=1e-5,
    floor_by="add",
    log_error="L2",
    log_weight=1.0,
    linear_weight=1.0,
    divisor=10.0,  # five scales of two terms
)
_VOCOS = MelVariant(
    name="Mel-Vocos",
    unit="ln",
    about="Vocos: 100 HTK mels, magnitude, natural log, one scale",
    scales=(MelScale(1024, 100),),
    filters="htk",
    frequency_min=0.0,
    spectrum="magnitude",
    unit_window=False,
    padding="centred",
    log="ln",
    floor=1e-7,
    floor_by="clamp",
    log_error="L1",
    log_weight=1.0,
    linear_weight=0.0,
    divisor=1.0,
)
VARIANTS = {"dac": _DAC, "dac-class": _DAC_CLASS, "encodec": _ENCODEC, "vocos": _VOCOS}


class MelDistance(AudioScorer):
    """Mel distance in one of VARIANTS; lower is closer, and an exact copy has 0."""

    higher_is_better = False
    held_against = "reference"
    cuts_to_common_length = True

    def __init__(self, variant: str = "dac", sample_rate: int = DEFAULT_SAMPLE_RATE) -> None:
        if variant not in VARIANTS:
            raise ConfigError(
                f"unknown mel distance {variant!r}; choose from {', '.join(VARIANTS)}"
            )
        if sample_rate < MIN_SAMPLE_RATE:
            raise ConfigError(
                f"mel distance at {sample_rate} Hz has empty filters; "
                f"use a sample rate of at least {MIN_SAMPLE_RATE} Hz"
            )
        self.variant = VARIANTS[variant]
        self.name, self.unit = self.variant.name, self.variant.unit
        self.sample_rate = sample_rate

    def describe(self) -> dict[str, Any]:
        """Describes the scales, the floor, the sample rate and how lengths are treated."""
        variant = self.variant
        return {
            "metric": self.name,
            "model": variant.about,
            "windows": [scale.window_length for scale in variant.scales],
            "num_mels": [scale.num_mels for scale in variant.scales],
            "floor": variant.floor,
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
        """Scores one pair; a silent hypothesis has the floor's value in every band."""
        pair = align_pair(self.name, reference, hypothesis, sample_rate)
        clean = resample(pair.reference, sample_rate, self.sample_rate)
        tested = resample(pair.hypothesis, sample_rate, self.sample_rate)
        longest = max(scale.window_length for scale in self.variant.scales)
        if clean.numel() <= longest:
            raise InputError(
                f"common length is {pair.details['duration_s']:.3f} s; "
                f"{self.name} expects more than {longest / self.sample_rate:.3f} s"
            )
        both = torch.stack([clean, tested])  # (2, T)
        with torch.no_grad():
            scales = [self._scale_distance(both, scale) for scale in self.variant.scales]
        return Score(math.fsum(scales), {**pair.details, "scales": scales})

    def _scale_distance(self, both: Tensor, scale: MelScale) -> float:
        """(2, T) -> the summand of this scale."""
        variant = self.variant
        filters = self._filters[scale]
        linear_total = log_total = count = 0.0
        for spectrum in self._spectra(both, scale.window_length):
            mels = spectrum @ filters  # (2, N, M)
            if variant.linear_weight:
                linear_total += float((mels[0] - mels[1]).abs().sum())
            floored = mels.clamp(min=variant.floor) if variant.floor_by == "clamp" else mels
            if variant.floor_by == "add":
                floored = mels + variant.floor
            logs = floored.log10() if variant.log == "log10" else floored.log()
            difference = logs[0] - logs[1]
            error = difference.abs() if variant.log_error == "L1" else difference.square()
            log_total += float(error.sum())
            count += error.numel()
        weighted = variant.log_weight * log_total + variant.linear_weight * linear_total
        return weighted / count / variant.divisor

    def _spectra(self, both: Tensor, window_length: int) -> Iterator[Tensor]:
        """Yields magnitude or power spectra of (2, T) in blocks of frames, each (2, N, F)."""
        hop = window_length // HOPS_PER_WINDOW
        window = torch.hann_window(window_length, dtype=torch.float64)
        if self.variant.unit_window:
            window = window / window.square().sum().sqrt()
        if self.variant.padding == "centred":
            left, zeros = window_length // 2, 0
        else:
            left, zeros = (window_length - hop) // 2, -both.shape[1] % hop
        padded = torch.nn.functional.pad(both, (left, left), mode="reflect")
        padded = torch.nn.functional.pad(padded, (0, zeros))
        frames = padded.unfold(1, window_length, hop)  # (2, all N, W), a view
        for block in torch.split(frames, max(1, _BLOCK_SAMPLES // window_length), dim=1):
            magnitude = torch.fft.rfft(block.double() * window).abs()
            yield magnitude.square() if self.variant.spectrum == "power" else magnitude

    @cached_property
    def _filters(self) -> dict[MelScale, Tensor]:
        """{scale: (F, M)}."""
        slaney = self.variant.filters == "slaney"
        with warnings.catch_warnings():
            # 64 mels on 33 bins leave some filters empty, all zeros; Encodec's loss has them too.
            warnings.filterwarnings("ignore", message="At least one mel filterbank")
            return {
                scale: torchaudio.functional.melscale_fbanks(
                    n_freqs=scale.window_length // 2 + 1,
                    f_min=self.variant.frequency_min,
                    f_max=self.sample_rate / 2,
                    n_mels=scale.num_mels,
                    sample_rate=self.sample_rate,
                    norm="slaney" if slaney else None,
                    mel_scale="slaney" if slaney else "htk",
                ).double()
                for scale in self.variant.scales
            }
