"""The base class of all metrics of audio, and how a metric prepares the two signals it compares.

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

# The second signal that a metric gets beside the audio under test: nothing, the original of the
# same utterance ("reference"), the prompt's recording (SIM-o), or the codec's copy of that
# recording (SIM-r).
HeldAgainst = Literal["nothing", "reference", "prompt", "codec_prompt"]


class AudioScorer(Scorer):
    """A metric of one recording, alone or compared with another one.

    A hypothesis may begin with audio that the system was given (the first seconds in continuation).
    `prefix` says whether `score` gets the audio with these seconds or without them.
    """

    held_against: HeldAgainst = "nothing"
    needs_transcript: bool = False
    cuts_to_common_length: bool = False  # whether it compares sample by sample, by `align_pair`
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
            reference: (T,) the audio that `held_against` names, at `sample_rate`; None for
                "nothing".
            hypothesis: (T',) the audio under test at `sample_rate`.
            sample_rate: rate of both signals in Hz; the scorer resamples to its metric's rate.
            transcript: the text that should be spoken; None if the metric needs none.

        Raises:
            InputError: this utterance cannot be scored; the message gives the reason.
            MetricUnavailable: `prepare`, which this calls if it has not run, raised it.
        """


@dataclass(frozen=True)
class AlignedPair:
    """Reference and hypothesis, both from their first sample on and of equal length."""

    reference: Tensor  # (T,)
    hypothesis: Tensor  # (T,)
    details: dict[str, Any]  # duration_s, length_difference_s (before the cut)


def align_pair(
    metric: str, reference: Tensor | None, hypothesis: Tensor, sample_rate: int
) -> AlignedPair:
    """Checks both signals and trims the end of the longer one; delay and level stay as they are."""
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
    """Splits two signals (T,) into equal blocks of at most `max_samples`; returns their values.

    A block is left out if its reference is silent or if `measure` finds too little speech in it and
    returns None.
    """
    num_blocks = math.ceil(reference.numel() / max_samples)
    blocks = zip(
        torch.tensor_split(reference, num_blocks),
        torch.tensor_split(hypothesis, num_blocks),
        strict=True,
    )
    values = [measure(clean, tested) for clean, tested in blocks if not is_silent(clean)]
    return [value for value in values if value is not None]
