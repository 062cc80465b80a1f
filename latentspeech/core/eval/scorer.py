"""The scorer contract: what every metric says about itself, and what it returns.

A scorer measures one utterance at a time and owns the way its scores become one number for a corpus
(a mean for most, pooled errors over pooled words for WER). A package or model that is missing makes
the metric unavailable, with the command that brings it: the report keeps a hole with that reason,
and a number is never made up.

T samples.
"""

import importlib.metadata
import importlib.util
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from latentspeech.core.errors import ConfigError, InputError

# Peaks at or below -80 dBFS count as digital silence: nothing that a listener or a model can use.
SILENCE_PEAK = 1e-4

# What a metric listens to beside the audio under test: the original of the same utterance, the
# recording that gave the voice (SIM-o), or the codec's copy of that recording (SIM-r).
HeldAgainst = Literal["nothing", "reference", "prompt", "codec_prompt"]


class MetricUnavailable(ConfigError):  # noqa: N818  it is no fault of anybody's
    """A metric's package or weights are not on this machine; the message says what brings them."""


@dataclass(frozen=True)
class Score:
    """One utterance's result. `details` is what `terms` and a reader of the report need."""

    value: float
    details: dict[str, Any] = field(default_factory=dict)


class Scorer(ABC):
    """One metric. Making one is cheap; `prepare` loads its model, once, before the first score.

    `prefix` says whether the part of the hypothesis that was given (a continuation task's first
    seconds) is heard by the metric or cut off before `score` gets the audio.
    """

    name: str
    unit: str  # "" for a pure number
    higher_is_better: bool
    held_against: HeldAgainst = "nothing"
    needs_transcript: bool = False
    prefix: Literal["included", "excluded"] = "included"

    def prepare(self) -> None:  # noqa: B027  most metrics have nothing to load
        """Loads packages and weights; MetricUnavailable if they are not on this machine."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What the number depends on: model, checkpoint, sample rate, normaliser, packages."""

    @abstractmethod
    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None,
    ) -> Score:
        """Scores one utterance.

        Args:
            reference: (T,) what `held_against` names, at `sample_rate`; None for "nothing".
            hypothesis: (T',) the audio under test at `sample_rate`.
            sample_rate: of both, in Hz; the scorer resamples to what its metric asks for.
            transcript: the text that was to be spoken; None where the metric needs none.

        Raises:
            InputError: this utterance cannot be scored, with the reason.
            MetricUnavailable: as `prepare`, which this calls if nobody did.
        """

    def terms(self, score: Score) -> tuple[float, float]:
        """Numerator and denominator of one utterance: the corpus value is the ratio of their sums.

        By default the mean; a metric that pools (errors over words) gives its counts.
        """
        return score.value, 1.0

    def aggregate(self, scores: Sequence[Score]) -> float:
        """The corpus value."""
        if not scores:
            raise InputError(f"{self.name}: no scores to aggregate; expected at least one")
        numerators, denominators = zip(*(self.terms(score) for score in scores), strict=True)
        return math.fsum(numerators) / math.fsum(denominators)

    def totals(self, scores: Sequence[Score]) -> dict[str, int]:
        """Pooled counts behind the corpus value, for metrics that pool; none otherwise."""
        return {}

    def beside(self, scores: Sequence[Score]) -> dict[str, float]:
        """Other corpus values out of the same scores, by name; none by default."""
        return {}


def require_packages(metric: str, packages: dict[str, str]) -> None:
    """Raises MetricUnavailable naming the missing packages of {module: what pip installs}."""
    missing = [pip for module, pip in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise MetricUnavailable(
            f"{metric} needs {len(missing)} package(s) that are not installed; "
            f"run: pip install {' '.join(missing)}"
        )


def package_version(distribution: str) -> str:
    """`name version` of an installed distribution, for `describe`."""
    return f"{distribution} {importlib.metadata.version(distribution)}"


def check_signal(role: str, audio: Tensor, sample_rate: int) -> Tensor:
    """Returns `audio` (T,) as float32 on the CPU; InputError unless finite and not empty."""
    if sample_rate <= 0:
        raise InputError(f"sample rate is {sample_rate} Hz; expected a positive number")
    if audio.dim() != 1:
        raise InputError(f"{role} audio has shape {tuple(audio.shape)}; expected mono, (T,)")
    if audio.numel() == 0:
        raise InputError(f"{role} audio is empty; expected at least one sample")
    audio = audio.detach().to(device="cpu", dtype=torch.float32)
    if not bool(torch.isfinite(audio).all()):
        raise InputError(f"{role} audio holds NaN or infinite samples; expected finite numbers")
    return audio


def is_silent(audio: Tensor) -> bool:
    """Whether no sample exceeds -80 dBFS."""
    return float(audio.abs().max()) <= SILENCE_PEAK


@dataclass(frozen=True)
class AlignedPair:
    """Reference and hypothesis cut to their common length, both from the first sample."""

    reference: Tensor  # (T,)
    hypothesis: Tensor  # (T,)
    details: dict[str, Any]  # duration_s, length_difference_s (before the cut)


def align_pair(
    metric: str, reference: Tensor | None, hypothesis: Tensor, sample_rate: int
) -> AlignedPair:
    """Checks both signals and trims the longer one's end. No delay search, no level change."""
    hypothesis = check_signal("hypothesis", hypothesis, sample_rate)
    if reference is None:
        raise InputError(f"{metric} compares with a reference recording; none was given")
    reference = check_signal("reference", reference, sample_rate)
    length = min(reference.numel(), hypothesis.numel())
    if is_silent(reference[:length]):
        raise InputError(f"reference audio is silent; {metric} expects speech in it")
    difference_s = (hypothesis.numel() - reference.numel()) / sample_rate
    details = {"duration_s": length / sample_rate, "length_difference_s": difference_s}
    return AlignedPair(reference[:length], hypothesis[:length], details)
