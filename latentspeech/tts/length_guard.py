"""How long a text may last: bounds that stop a runaway, refuse an early end, and arouse suspicion.

English speech runs at 12 to 20 characters a second. The bounds of a sentence leave room for a voice
at a third of the slower rate and at twice the faster one; those of plausibility for two thirds and
for one and a half. A word takes 60 ms a phoneme or so, and what stands for pauses.

The paper has none of this; `AS_IN_THE_PAPER` leaves only the longest time, at which a row must end.
"""

import dataclasses
import math

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.lm.row_policy import GenerationLimits

SLOWEST_S_PER_CHARACTER = 0.22
FASTEST_S_PER_CHARACTER = 0.025
SLACK_S = 1.5
PLAUSIBLE_S_PER_CHARACTER = (0.033, 0.125)

LONGEST_SYMBOL_S = 1.2  # the pause behind a mark


class LengthGuard(Config):
    """What is done about speech that is too short or too long for its text."""

    retries: int = Field(
        2, ge=0, description="how often a sentence that came out wrong is spoken again"
    )
    min_length: bool = Field(
        True, description="the model may not end before the shortest time that the text may take"
    )


GUARDED = LengthGuard()
STREAMED = LengthGuard(retries=0)  # what has been heard cannot be spoken again
AS_IN_THE_PAPER = LengthGuard(retries=0, min_length=False)


def generation_limits(text: str, frame_rate: float, eod_id: int) -> GenerationLimits:
    """Limits for one sentence of normalised text; the row ends with EOD or at the upper bound."""
    longest_s = SLACK_S + SLOWEST_S_PER_CHARACTER * len(text)
    shortest_s = FASTEST_S_PER_CHARACTER * len(text)
    return GenerationLimits(
        max_elements=math.ceil(longest_s * frame_rate) + 1,
        min_latents=max(1, math.floor(shortest_s * frame_rate)),
        end_ids=frozenset({eod_id}),
    )


def without_minimum(limits: GenerationLimits) -> GenerationLimits:
    """The same limits, but a row may end after its first latent."""
    return dataclasses.replace(limits, min_latents=1)


def is_plausible(text: str, seconds: float) -> bool:
    """Whether a sentence of normalised text can have been spoken in full in that time."""
    fastest, slowest = (bound * len(text) for bound in PLAUSIBLE_S_PER_CHARACTER)
    return fastest <= seconds <= SLACK_S + slowest
