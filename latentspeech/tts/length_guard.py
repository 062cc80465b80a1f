"""How long a text may last: bounds that stop a runaway and refuse an early end.

English speech runs at 12 to 20 characters a second; the bounds leave room for a voice at a third of
the slower rate and at twice the faster one.
"""

import math
from collections.abc import Sequence

from latentspeech.core.lm.generate import GenerationLimits

SLOWEST_S_PER_CHARACTER = 0.22
FASTEST_S_PER_CHARACTER = 0.025
SLACK_S = 1.5
SLOWEST_S_PER_TOKEN = 0.15
WORD_SLACK_S = 0.8  # a pause


def generation_limits(text: str, frame_rate: float, eod_id: int) -> GenerationLimits:
    """Limits for one sentence of normalised text; the row ends with EOD or at the upper bound."""
    longest_s = SLACK_S + SLOWEST_S_PER_CHARACTER * len(text)
    shortest_s = FASTEST_S_PER_CHARACTER * len(text)
    return GenerationLimits(
        max_elements=math.ceil(longest_s * frame_rate) + 1,
        min_latents=max(1, math.floor(shortest_s * frame_rate)),
        end_ids=frozenset({eod_id}),
    )


def word_limits(word_ids: Sequence[int], frame_rate: float, eod_id: int) -> GenerationLimits:
    """Limits for one word, by its tokens: phonemes, stress and the marks behind it."""
    longest_s = WORD_SLACK_S + SLOWEST_S_PER_TOKEN * len(word_ids)
    return GenerationLimits(
        max_elements=math.ceil(longest_s * frame_rate) + 1,
        min_latents=1,
        end_ids=frozenset({eod_id}),
    )
