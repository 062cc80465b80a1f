"""Bounds on the length of speech: they truncate a runaway, prevent an early stop, find bad speech.

English speech has 12 to 20 characters per second. The limits of a sentence allow a third of the
slower rate and twice the faster one. The narrower bounds of a plausible length allow two thirds of
the slower rate and one and a half times the faster one. A phoneme takes about 60 ms, and the pause
at a punctuation mark takes longer.

The paper has no such bounds; `AS_IN_THE_PAPER` keeps only the longest time, at which a row must
end.
"""

import dataclasses
import math

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.lm.sampling.row_policy import GenerationLimits

SLOWEST_S_PER_CHARACTER = 0.22
FASTEST_S_PER_CHARACTER = 0.025
SLACK_S = 1.5
PLAUSIBLE_S_PER_CHARACTER = (0.033, 0.125)

LONGEST_SYMBOL_S = 1.2  # the pause after a punctuation mark


class LengthGuard(Config):
    """Measures against speech that is too short or too long for its text."""

    retries: int = Field(
        2, ge=0, description="most times that a truncated or implausible sentence is spoken again"
    )
    min_length: bool = Field(
        True, description="whether the model must not stop before the text's shortest time"
    )


GUARDED = LengthGuard()
STREAMED = LengthGuard(retries=0)  # audio that was already heard cannot be spoken again
AS_IN_THE_PAPER = LengthGuard(retries=0, min_length=False)


def generation_limits(text: str, frame_rate: float, eod_id: int) -> GenerationLimits:
    """Returns the limits of a sentence of normalised text; a row ends with EOD or at a limit."""
    longest_s = SLACK_S + SLOWEST_S_PER_CHARACTER * len(text)
    shortest_s = FASTEST_S_PER_CHARACTER * len(text)
    return GenerationLimits(
        max_elements=math.ceil(longest_s * frame_rate) + 1,
        min_latents=max(1, math.floor(shortest_s * frame_rate)),
        end_ids=frozenset({eod_id}),
    )


def without_minimum(limits: GenerationLimits) -> GenerationLimits:
    """Returns the same limits, except that a row may end after its first latent."""
    return dataclasses.replace(limits, min_latents=1)


def is_plausible(text: str, seconds: float) -> bool:
    """Returns whether a whole sentence of normalised text can plausibly take that time."""
    fastest, slowest = (bound * len(text) for bound in PLAUSIBLE_S_PER_CHARACTER)
    return fastest <= seconds <= SLACK_S + slowest
