"""Makes items of a report from utterances, and defines the parts of the corpus that it shows.

The parts are by length, number of words, speaker and sex. The length is that of the reference
recording, so that two systems have the same parts; without a reference it is that of the audio
under test.
"""

import itertools
from collections.abc import Callable
from typing import Any

from latentspeech.audio.io import audio_duration_s
from latentspeech.core.errors import InputError
from latentspeech.core.eval.buckets import Part, Parts
from latentspeech.core.eval.report import ItemResult
from latentspeech.core.eval.scorer import Score
from latentspeech.eval.scoring.pair import EvalPair

ITEM_NAME, GROUP_NAME = "utterance", "speaker"

# Edges in seconds; an utterance of exactly 4 s belongs to "4 to 6 s".
DURATION_EDGES_S = (2, 4, 6, 8, 10, 15, 20)
# Largest number of words in each part.
WORD_LIMITS = (5, 10, 15, 20, 30)


def item_of(pair: EvalPair, fingerprint: str, scores: dict[str, Score]) -> ItemResult:
    """Makes an item from a pair and its scores; unknown facts are left out."""
    facts: dict[str, Any] = {
        "prompt": None if pair.prompt_path is None else str(pair.prompt_path),
        "sex": pair.sex,
        "duration_s": _duration_s(pair),
        "num_words": None if pair.transcript is None else len(pair.transcript.split()),
    }
    return ItemResult(
        id=pair.id,
        hypothesis=str(pair.hypothesis_path),
        reference=None if pair.reference_path is None else str(pair.reference_path),
        text=pair.transcript,
        group=pair.speaker,
        facts={name: value for name, value in facts.items() if value is not None},
        fingerprint=fingerprint,
        scores=scores,
    )


def duration_label(duration_s: float) -> tuple[int, str]:
    """Returns order and name of the part that a length belongs to."""
    number = sum(duration_s >= edge for edge in DURATION_EDGES_S)
    if number == 0:
        return number, f"below {DURATION_EDGES_S[0]} s"
    if number == len(DURATION_EDGES_S):
        return number, f"{DURATION_EDGES_S[-1]} s and more"
    low, high = list(itertools.pairwise(DURATION_EDGES_S))[number - 1]
    return number, f"{low} to {high} s"


def words_label(num_words: int) -> tuple[int, str]:
    """Returns order and name of the part that a number of words belongs to."""
    number = sum(num_words > limit for limit in WORD_LIMITS)
    if number == len(WORD_LIMITS):
        return number, f"more than {WORD_LIMITS[-1]} words"
    low = WORD_LIMITS[number - 1] + 1 if number else 1
    return number, f"{low} to {WORD_LIMITS[number]} words"


def _by_fact(name: str, label: Callable[[Any], tuple[int, str]]) -> Callable[[ItemResult], Part]:
    """Makes a function from an item to its part by one fact; None for an item without it."""

    def part_of(item: ItemResult) -> Part:
        value = item.facts.get(name)
        return None if value is None else label(value)

    return part_of


def _by_words(item: ItemResult) -> Part:
    num_words = item.facts.get("num_words")
    return words_label(num_words) if num_words else None


def _by_speaker(item: ItemResult) -> Part:
    return None if item.group is None else (0, item.group)


PARTS: Parts = {
    "duration": _by_fact("duration_s", duration_label),
    "words": _by_words,
    GROUP_NAME: _by_speaker,
    "sex": _by_fact("sex", lambda sex: (0, sex)),
}


def _duration_s(pair: EvalPair) -> float | None:
    for path in (pair.reference_path, pair.hypothesis_path):
        if path is not None:
            try:
                return audio_duration_s(path)
            except InputError:
                continue
    return None
