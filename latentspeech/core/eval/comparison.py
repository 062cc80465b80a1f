"""Comparison of two systems on the same items: their difference, its interval and a p-value.

The two are resampled together, because an item that is hard for one is usually hard for the other,
which two separate intervals ignore. The interval is that of the paired bootstrap. The p-value is
that of the permutation test: if the systems were alike, an exchange of their results of any item
would change nothing, and p is the share of exchanges with a difference at least as large as the one
found. The test is two-sided. It takes all exchanges if they are few, or else random ones and the
observed one. Pooled metrics (WER) are pooled anew each time. Interval and test are also computed
with whole groups (speakers) as units; use those for claims about groups that were not measured.

One comparison is one test: with many metrics or systems some p-values are small by chance.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.eval.report import EvalReport, Interval, ItemResult, MetricResult
from latentspeech.core.eval.scorer import Score, Scorer
from latentspeech.core.eval.statistics import (
    CONFIDENCE,
    NUM_RESAMPLES,
    draws,
    percentile_interval,
    pooled_sums,
    units_of,
)
from latentspeech.core.tensors import make_generator

NUM_PERMUTATIONS = 10000
_CHUNK = 512
# Tolerance: a difference that is smaller only by rounding still counts as at least as large.
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Comparison:
    """System b against system a in one metric; `difference` is b - a."""

    metric: str
    unit: str
    higher_is_better: bool
    value_a: float
    value_b: float
    difference: float
    interval: Interval | None  # 95%, paired bootstrap over items
    p_value: float
    group_interval: Interval | None
    group_p_value: float | None
    num_items: int
    num_groups: int | None  # None if an item's group is unknown
    measured_differently: dict[str, tuple[Any, Any]]  # differing keys of the descriptions


def compare(
    first: EvalReport,
    second: EvalReport,
    metric: str,
    make_scorer: Callable[[str], Scorer],
    *,
    common_only: bool = False,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
    num_permutations: int = NUM_PERMUTATIONS,
) -> Comparison:
    """Compares two reports in one metric.

    Args:
        first: system a.
        second: system b.
        metric: the metric's command-line name or its scorer's name.
        make_scorer: gives the scorer of a metric's key, which knows how scores are aggregated.
        common_only: compare only the items that both systems have scores of.
        seed: seed of the draws.
        num_resamples: number of bootstrap draws.
        num_permutations: number of exchanges drawn; all exchanges if there are not more.

    Raises:
        DataError: the reports do not hold the same items with the same texts.
        ConfigError: the metric has no key.
    """
    results = first.metric(metric), second.metric(metric)
    rows = _matched(first, second, results, common_only)
    scores = (
        [row.scores[results[0].name] for row, _ in rows],
        [row.scores[results[1].name] for _, row in rows],
    )
    scorer = _scorer_of(results[0], make_scorer)
    values = scorer.aggregate(scores[0]), scorer.aggregate(scores[1])
    groups = [row.group for row, _ in rows]
    known = None not in groups
    paired = _Paired(scorer, *scores, labels=list(range(len(rows))))
    grouped = _Paired(scorer, *scores, labels=groups) if known else None
    streams = f"compare/{results[0].name}"
    return Comparison(
        metric=results[0].name,
        unit=results[0].unit,
        higher_is_better=results[0].higher_is_better,
        value_a=values[0],
        value_b=values[1],
        difference=values[1] - values[0],
        interval=paired.interval(seed, streams, num_resamples),
        p_value=paired.p_value(seed, streams, num_permutations),
        group_interval=grouped.interval(seed, streams, num_resamples) if grouped else None,
        group_p_value=grouped.p_value(seed, streams, num_permutations) if grouped else None,
        num_items=len(rows),
        num_groups=len(set(groups)) if known else None,
        measured_differently=_disagreements(*results),
    )


class _Paired:
    """Two systems' scores by unit (item or group), resampled together."""

    def __init__(
        self,
        scorer: Scorer,
        first: Sequence[Score],
        second: Sequence[Score],
        labels: Sequence[Any],
    ) -> None:
        unit_of, self.num_units = units_of(labels)
        self._difference = _differences(scorer, first, second, unit_of, self.num_units)

    def interval(self, seed: int, stream: str, num_resamples: int) -> Interval | None:
        """95% interval of the difference; None below two units."""
        if self.num_units < 2:
            return None
        generator = make_generator(seed, f"{stream}/bootstrap/{self.num_units}")
        keep = torch.zeros(1, self.num_units, dtype=torch.bool)
        values = [
            self._difference(chunk, keep.expand(len(chunk), -1))
            for chunk in draws(self.num_units, num_resamples, generator)
        ]
        return percentile_interval(torch.cat(values), self.num_units)

    def p_value(self, seed: int, stream: str, num_permutations: int) -> float:
        """Two-sided p of the permutation test, over all 2^U exchanges if they are few enough."""
        everyone = torch.arange(self.num_units)[None]  # (1, U)
        observed = self._difference(everyone, torch.zeros(1, self.num_units, dtype=torch.bool))
        least = float(observed.abs()) * (1 - _ROUNDING) - _ROUNDING
        exact = self.num_units < 63 and 2**self.num_units <= num_permutations
        total = 2**self.num_units if exact else num_permutations
        generator = make_generator(seed, f"{stream}/permutation/{self.num_units}")
        extreme = 0
        for start, stop in pairwise([*range(0, total, _CHUNK), total]):
            if exact:
                numbers = torch.arange(start, stop)[:, None]
                exchange = (numbers >> torch.arange(self.num_units)[None]) % 2 == 1  # (R, U)
            else:
                shape = (stop - start, self.num_units)
                exchange = torch.randint(2, shape, generator=generator) == 1
            found = self._difference(everyone.expand(len(exchange), -1), exchange)
            extreme += int((found.abs() >= least).sum())
        return extreme / total if exact else (extreme + 1) / (total + 1)


# (drawn units (R, U), which of them change sides (R, U)) -> differences (R,)
_Differences = Callable[[Tensor, Tensor], Tensor]


def _differences(
    scorer: Scorer,
    first: Sequence[Score],
    second: Sequence[Score],
    unit_of: Tensor,
    num_units: int,
) -> _Differences:
    units = [pooled_sums(scorer, scores).by_unit(unit_of, num_units) for scores in (first, second)]
    numerators = torch.stack([unit.numerators for unit in units])  # (2, U)
    denominators = torch.stack([unit.denominators for unit in units])

    def difference(drawn: Tensor, exchange: Tensor) -> Tensor:
        side = exchange.long()  # (R, U): 1 where the systems exchange results
        values = [
            numerators[which, drawn].sum(1) / denominators[which, drawn].sum(1)
            for which in (side, 1 - side)
        ]
        return values[1] - values[0]

    return difference


def _matched(
    first: EvalReport,
    second: EvalReport,
    results: tuple[MetricResult, MetricResult],
    common_only: bool,
) -> list[tuple[ItemResult, ItemResult]]:
    for result in results:
        if result.hole is not None:
            raise DataError(f"{result.name} was not measured in one report: {result.hole}")
    scored = [
        {row.id: row for row in report.items if result.name in row.scores}
        for report, result in zip((first, second), results, strict=True)
    ]
    if not common_only:
        _check_same_ids(first, second, scored)
    common = [name for name in scored[0] if name in scored[1]]
    if not common:
        raise DataError("the reports have no scored item in common; nothing can be compared")
    rows = [(scored[0][name], scored[1][name]) for name in common]
    for one, other in rows:
        if one.text != other.text:
            raise DataError(
                f"{one.id} has another text in the second report ({one.text!r}, "
                f"{other.text!r}); compare systems on the same list"
            )
    return rows


def _check_same_ids(
    first: EvalReport, second: EvalReport, scored: Sequence[dict[str, ItemResult]]
) -> None:
    listed = [{row.id for row in report.items} for report in (first, second)]
    for what, ids in (("items", listed), ("scored items", [set(s) for s in scored])):
        only = sorted(ids[0] - ids[1]), sorted(ids[1] - ids[0])
        if any(only):
            shown = "; ".join(
                f"only in the {name}: {', '.join(names[:5])}{' ...' if len(names) > 5 else ''}"
                for name, names in zip(("first", "second"), only, strict=True)
                if names
            )
            raise DataError(
                f"the reports differ in their {what} ({len(only[0])} and {len(only[1])} without a "
                f"partner; {shown}); score the same list, or compare the common ones (--common)"
            )


def _scorer_of(result: MetricResult, make_scorer: Callable[[str], Scorer]) -> Scorer:
    if not result.key:
        raise ConfigError(f"{result.name} is no metric of the toolkit; compare it in your own code")
    return make_scorer(result.key)


def _disagreements(first: MetricResult, second: MetricResult) -> dict[str, tuple[Any, Any]]:
    one, other = first.description, second.description
    keys = [*one, *(key for key in other if key not in one)]
    return {key: (one.get(key), other.get(key)) for key in keys if one.get(key) != other.get(key)}


def markdown(
    comparisons: Sequence[Comparison],
    names: tuple[str, str],
    item_name: str = "item",
    group_name: str = "group",
) -> str:
    """A table with a row for each metric, and notes on metrics that were measured differently."""
    lines = [
        f"| metric | a: {names[0]} | b: {names[1]} | b - a | 95% | p | 95% by {group_name} "
        f"| p by {group_name} | better | {item_name}s |",
        "|---" * 10 + "|",
    ]
    for found in comparisons:
        group_p = "none" if found.group_p_value is None else _p(found.group_p_value)
        lines.append(
            f"| {found.metric} {found.unit}".rstrip() + f" | {found.value_a:.3f} "
            f"| {found.value_b:.3f} | {found.difference:+.3f} | {_edges(found.interval)} "
            f"| {_p(found.p_value)} | {_edges(found.group_interval)} | {group_p} "
            f"| {_better(found)} | {found.num_items} |"
        )
    for found in comparisons:
        for key, (one, other) in found.measured_differently.items():
            lines.append(f"\n{found.metric} was measured differently: {key}: a {one}, b {other}")
    return "\n".join(lines) + "\n"


def _better(found: Comparison) -> str:
    if found.p_value >= 1 - CONFIDENCE:
        return "undecided"
    return "b" if (found.difference > 0) == found.higher_is_better else "a"


def _edges(interval: Interval | None) -> str:
    return "none" if interval is None else f"{interval[0]:+.3f} to {interval[1]:+.3f}"


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else f"{value:.3f}"
