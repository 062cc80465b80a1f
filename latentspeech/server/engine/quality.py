"""The qualities in which a speech can be written, from the model's own to the cheapest.

Guidance doubles the rows of the language model, and each solver step runs the diffusion head once.
So under load a speech is written without guidance, and then with a step less. Both stay where the
sweep of the voice found speech that is understood as well (docs/voice.md, where sampling ends).
"""

from typing import NamedTuple

from latentspeech.core.lm.sampling.config import SamplingConfig

_LEAST_STEPS = 2


class Quality(NamedTuple):
    """A sampling, and the load from which it is used."""

    name: str
    sampling: SamplingConfig
    least_load: float  # speeches written or waiting, divided by the number of rows


def qualities(own: SamplingConfig, elastic: bool) -> list[Quality]:
    """Returns the qualities of a model, best first; only its own unless `elastic`."""
    found = [Quality("full", own, 0.0)]
    if not elastic:
        return found
    reduced = own
    if own.guided:
        off = {
            name: one.model_copy(update={"cfg_scale": 1.0}) for name, one in own.modalities.items()
        }
        changes = {"cfg_scale": 1.0, "token_cfg_scale": 1.0, "modalities": off}
        reduced = own.model_copy(update=changes)
        found.append(Quality("unguided", reduced, 0.75))
    if reduced.num_steps > _LEAST_STEPS:
        fewer = reduced.model_copy(update={"num_steps": reduced.num_steps - 1})
        found.append(Quality("fewer-steps", fewer, 1.5))
    return found


def choose(found: list[Quality], load: float) -> int:
    """Returns the index of the quality for a load."""
    return max(i for i, quality in enumerate(found) if load >= quality.least_load)
