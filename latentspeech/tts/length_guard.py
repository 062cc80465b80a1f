"""How long a text may last: bounds that stop a runaway and refuse an early end.

English speech runs at 12 to 20 characters a second; the bounds leave room for a voice at a third of
the slower rate and at twice the faster one.
"""

import math

from latentspeech.core.lm.generate import GenerationLimits

SLOWEST_S_PER_CHARACTER = 0.22
FASTEST_S_PER_CHARACTER = 0.025
SLACK_S = 1.5


def generation_limits(text: str, frame_rate: float, eod_id: int) -> GenerationLimits:
    """Limits for one sentence of normalised text; the row ends with EOD or at the upper bound."""
    longest_s = SLACK_S + SLOWEST_S_PER_CHARACTER * len(text)
    shortest_s = FASTEST_S_PER_CHARACTER * len(text)
    return GenerationLimits(
        max_elements=math.ceil(longest_s * frame_rate) + 1,
        min_latents=max(1, math.floor(shortest_s * frame_rate)),
        end_ids=frozenset({eod_id}),
    )
