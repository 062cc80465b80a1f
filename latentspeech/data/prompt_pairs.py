"""Chooses the prompt of a training target: another utterance of the same speaker."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from typing import Protocol

from latentspeech.core.seeds import derive_seed


class SpokenItem(Protocol):
    """The facts about an utterance that pairing needs."""

    @property
    def group(self) -> str:
        """The speaker."""

    @property
    def num_latents(self) -> int:
        """Its length in latents."""


def prompt_candidates(items: Sequence[SpokenItem], max_latents: float) -> dict[str, list[int]]:
    """By speaker, the rising indices of the utterances that are short enough for a prompt."""
    candidates: dict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(items):
        if 0 < item.num_latents <= max_latents:
            candidates[item.group].append(index)
    return dict(candidates)


def choose_prompt(candidates: Sequence[int], index: int, seed: int, epoch: int = 0) -> int | None:
    """One of the speaker's rising `candidates`, each equally likely, never the target itself.

    The target need not be a candidate (it may be too long for a prompt). The result is None if
    there is no other candidate. The same arguments give the same prompt; targets choose
    independently of each other.
    """
    place = bisect_left(candidates, index)
    is_candidate = place < len(candidates) and candidates[place] == index
    own_place = place if is_candidate else len(candidates)
    num_others = len(candidates) - is_candidate
    if num_others == 0:
        return None
    place = derive_seed(seed, f"prompt/{epoch}", index) % num_others
    return candidates[place + (place >= own_place)]
