"""Which utterance serves as the prompt of a training target: another one of the same speaker."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from latentspeech.core.tensors import derive_seed


class SpokenItem(Protocol):
    """What pairing needs to know of an utterance."""

    @property
    def speaker(self) -> str:
        """Who speaks."""

    @property
    def num_latents(self) -> int:
        """Its length."""


def prompt_candidates(items: Sequence[SpokenItem], max_latents: float) -> dict[str, list[int]]:
    """Indices of the utterances that are short enough for a prompt, by speaker."""
    candidates: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        if item.num_latents <= max_latents:
            candidates[item.speaker].append(index)
    return dict(candidates)


def choose_prompt(candidates: Sequence[int], index: int, seed: int, epoch: int = 0) -> int | None:
    """One of the speaker's `candidates`, each equally likely, never the target `index` itself.

    The target need not be a candidate (it may be too long for a prompt). None if there is no other
    one. The same arguments give the same prompt; targets choose independently of each other.
    """
    own_place = candidates.index(index) if index in candidates else len(candidates)
    num_others = len(candidates) - (own_place < len(candidates))
    if num_others == 0:
        return None
    place = derive_seed(seed, f"prompt/{epoch}", index) % num_others
    return candidates[place + (place >= own_place)]
