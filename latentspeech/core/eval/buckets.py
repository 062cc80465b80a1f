"""A metric by length, speaker and sex: where a corpus value comes from.

Each part is aggregated as the corpus is (WER pools its errors) and has its own interval over
utterances. Lengths are those of the reference recording, so that two systems have the same parts;
without one, of the audio under test.
"""

import itertools
from collections.abc import Callable, Sequence

from latentspeech.core.eval.report import Bucket, UtteranceResult
from latentspeech.core.eval.scorer import Scorer
from latentspeech.core.eval.statistics import bootstrap_interval

# Edges in seconds; an utterance of exactly 4 s belongs to "4 to 6 s".
DURATION_EDGES_S = (2, 4, 6, 8, 10, 15, 20)
# Largest number of words in each part.
WORD_LIMITS = (5, 10, 15, 20, 30)


def make_buckets(
    scorer: Scorer, utterances: Sequence[UtteranceResult], seed: int, num_resamples: int
) -> list[Bucket]:
    """All parts that have a scored utterance, each group in the order of its labels.

    A group of one part (one speaker, all of one length) says nothing new and is left out.
    """
    scored = [utterance for utterance in utterances if scorer.name in utterance.scores]
    buckets: list[Bucket] = []
    for group, place_of in _GROUPS.items():
        parts: dict[tuple[int, str], list[UtteranceResult]] = {}
        for utterance in scored:
            place = place_of(utterance)
            if place is not None:
                parts.setdefault(place, []).append(utterance)
        if len(parts) < 2:
            continue
        for (_, label), members in sorted(parts.items(), key=lambda item: item[0]):
            scores = [member.scores[scorer.name] for member in members]
            value = scorer.aggregate(scores)
            interval = bootstrap_interval(scorer, scores, seed, num_resamples)
            buckets.append(Bucket(group, label, value, interval, len(scores)))
    return buckets


def duration_label(duration_s: float) -> tuple[int, str]:
    """Order and name of the part that a length belongs to."""
    number = sum(duration_s >= edge for edge in DURATION_EDGES_S)
    if number == 0:
        return number, f"below {DURATION_EDGES_S[0]} s"
    if number == len(DURATION_EDGES_S):
        return number, f"{DURATION_EDGES_S[-1]} s and more"
    low, high = list(itertools.pairwise(DURATION_EDGES_S))[number - 1]
    return number, f"{low} to {high} s"


def words_label(num_words: int) -> tuple[int, str]:
    """Order and name of the part that a number of words belongs to."""
    number = sum(num_words > limit for limit in WORD_LIMITS)
    if number == len(WORD_LIMITS):
        return number, f"more than {WORD_LIMITS[-1]} words"
    low = WORD_LIMITS[number - 1] + 1 if number else 1
    return number, f"{low} to {WORD_LIMITS[number]} words"


def _by_duration(utterance: UtteranceResult) -> tuple[int, str] | None:
    return None if utterance.duration_s is None else duration_label(utterance.duration_s)


def _by_words(utterance: UtteranceResult) -> tuple[int, str] | None:
    return words_label(utterance.num_words) if utterance.num_words else None


def _by_speaker(utterance: UtteranceResult) -> tuple[int, str] | None:
    return None if utterance.speaker is None else (0, utterance.speaker)


def _by_sex(utterance: UtteranceResult) -> tuple[int, str] | None:
    return None if utterance.sex is None else (0, utterance.sex)


_GROUPS: dict[str, Callable[[UtteranceResult], tuple[int, str] | None]] = {
    "duration": _by_duration,
    "words": _by_words,
    "speaker": _by_speaker,
    "sex": _by_sex,
}
