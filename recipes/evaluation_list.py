"""Which test utterances are copied and spoken, and after which prompt: fixed, so numbers compare.

The rule of VALL-E 2 (Chen et al. 2024, arXiv 2406.05370, 4.1.3): within a speaker's utterances in
order of id, the prompt is the whole utterance before; the first takes the last. Speakers take turns
until there are enough.
"""

import itertools
import logging
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from latentspeech.core.errors import DataError
from latentspeech.data.utterances import Utterance

logger = logging.getLogger(__name__)

# Shorter ones say too little of a voice, longer ones are not spoken in one breath.
MIN_DURATION_S = 1.0
MAX_DURATION_S = 15.0


class EvaluationItem(NamedTuple):
    """What to speak, and the utterance of the same speaker to speak it after."""

    target: Utterance
    prompt: Utterance


def choose_evaluation_items(
    utterances: Sequence[Utterance], max_items: int
) -> list[EvaluationItem]:
    """At most `max_items` (0: all), each speaker in turn."""
    by_speaker: dict[str, list[Utterance]] = defaultdict(list)
    for utterance in sorted(utterances, key=lambda item: item.id):
        if MIN_DURATION_S <= utterance.duration_s <= MAX_DURATION_S and utterance.text:
            by_speaker[utterance.speaker].append(utterance)
    rows = [
        [EvaluationItem(target, own[place - 1]) for place, target in enumerate(own)]
        for own in by_speaker.values()
        if len(own) > 1
    ]
    turns = itertools.zip_longest(*rows)
    items = [item for turn in turns for item in turn if item is not None]
    if not items:
        raise DataError(
            f"none of {len(utterances)} test utterances has a transcript, lasts "
            f"{MIN_DURATION_S} to {MAX_DURATION_S} s and has another of its speaker for a prompt; "
            "make a larger corpus"
        )
    chosen = items[:max_items] if max_items else items
    logger.info("%d of %d test utterances, %d speakers", len(chosen), len(utterances), len(rows))
    return chosen
