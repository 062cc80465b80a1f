"""A metric that hears audio: what it compares with, and the two signals that it is given.

T samples.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from latentspeech.audio.signal_check import check_signal, is_silent
from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import Score, Scorer

# What a metric listens to beside the audio under test: the original of the same utterance, the
# recording that gave the voice (SIM-o), or the codec's copy of that recording (SIM-r).
HeldAgainst = Literal["nothing", "reference", "prompt", "codec_prompt"]


class AudioScorer(Scorer):
    """A metric of one recording, alone or beside another one.

    `prefix` says whether the part of the hypothesis that was given (a continuation task's first
    seconds) is heard by the metric or cut off before `score` gets the audio.
    """

    held_against: HeldAgainst = "nothing"
    needs_transcript: bool = False
    prefix: Literal["included", "excluded"] = "included"

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


def measure_blocks(
    reference: Tensor,
    hypothesis: Tensor,
    max_samples: float,
    measure: Callable[[Tensor, Tensor], float | None],
) -> list[float]:
    """The values of equal blocks of two signals (T,), each at most `max_samples` long.

    In a long recording a block of the reference may be silent, or `measure` may find too little in
    it and give None; such a block has no value and counts for nothing.
    """
    num_blocks = math.ceil(reference.numel() / max_samples)
    blocks = zip(
        torch.tensor_split(reference, num_blocks),
        torch.tensor_split(hypothesis, num_blocks),
        strict=True,
    )
    values = [measure(clean, tested) for clean, tested in blocks if not is_silent(clean)]
    return [value for value in values if value is not None]
