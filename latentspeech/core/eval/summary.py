"""Summary of one metric's scores over all items: value, intervals, parts and failures."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from latentspeech.core.eval.buckets import Parts, make_buckets
from latentspeech.core.eval.report import ItemResult, MetricResult
from latentspeech.core.eval.scorer import Scorer
from latentspeech.core.eval.statistics import bootstrap_interval


def summarise(
    scorer: Scorer,
    items: Sequence[ItemResult],
    parts: Parts,
    *,
    key: str,
    description: dict[str, Any],
    hole: str | None,
    seed: int,
    num_resamples: int,
) -> MetricResult:
    """Makes a row of a report.

    Args:
        scorer: the scorer of the scores.
        items: all items to score, with the scores that they have.
        parts: the modality's ways to divide the items.
        key: the metric's name on the command line; "" if it has none.
        description: the result of the scorer's `describe`.
        hole: why the metric could not be measured on this machine at all, or None.
        seed: seed of the bootstrap.
        num_resamples: number of bootstrap draws.
    """
    result = MetricResult(
        key=key,
        name=scorer.name,
        unit=scorer.unit,
        higher_is_better=scorer.higher_is_better,
        held_against=scorer.held_against,
        value=None,
        interval=None,
        group_interval=None,
        num_scored=0,
        num_failed=0 if hole else len(items),
        totals={},
        description=description,
        hole=hole,
    )
    scored = [item for item in items if scorer.name in item.scores]
    if not scored:
        return result
    scores = [item.scores[scorer.name] for item in scored]
    groups = [item.group for item in scored]
    by_group = None
    if None not in groups:
        by_group = bootstrap_interval(scorer, scores, seed, num_resamples, groups)
    return replace(
        result,
        value=scorer.aggregate(scores),
        interval=bootstrap_interval(scorer, scores, seed, num_resamples),
        group_interval=by_group,
        num_scored=len(scored),
        num_failed=len(items) - len(scored),
        totals=scorer.totals(scores),
        buckets=make_buckets(scorer, items, parts, seed, num_resamples),
        beside=scorer.beside(scores),
    )
