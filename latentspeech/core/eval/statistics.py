"""Bootstrap intervals of a value over all items, by drawing items or whole groups of them.

This is the percentile bootstrap: items (or groups with all their items) are drawn with replacement,
each draw is aggregated by the metric's own rule, and the middle 95% of the values is the interval.
Percentile intervals of small samples are too narrow, so we widen them until they cover the mean of
n normal units as Student's t does (Hesterberg, 2015, The American Statistician 69(4), 3.2:
"expanded percentile interval"). Above some 50 units this hardly changes anything.

Items of one group are alike (utterances of a speaker, images of a class). So the interval over
groups says which values other groups would give, and the interval over items only which values
other items of these groups would give.

N items, U units drawn (items or groups), R draws.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from latentspeech.core.eval.report import Interval
from latentspeech.core.eval.scorer import Score, Scorer
from latentspeech.core.tensors import make_generator

CONFIDENCE = 0.95
NUM_RESAMPLES = 2000
# Draws at a time, which bounds the memory of the drawn indices.
_CHUNK = 256


@dataclass(frozen=True)
class Sums:
    """A value that is a ratio of sums, as the sums of each item or unit."""

    numerators: Tensor  # (N,) float64
    denominators: Tensor  # (N,)

    def by_unit(self, unit_of: Tensor, num_units: int) -> "Sums":
        """The sums of each unit, (U,)."""
        zeros = torch.zeros(num_units, dtype=torch.float64)
        return Sums(
            zeros.index_add(0, unit_of, self.numerators),
            zeros.index_add(0, unit_of, self.denominators),
        )


def pooled_sums(scorer: Scorer, scores: Sequence[Score]) -> Sums:
    """The sums behind the value over all items."""
    terms = torch.tensor([scorer.terms(score) for score in scores], dtype=torch.float64)
    return Sums(terms[:, 0], terms[:, 1])


def units_of(labels: Sequence[Hashable]) -> tuple[Tensor, int]:
    """The index (N,) of each label's unit, by first appearance, and the number of units."""
    numbers: dict[Hashable, int] = {}
    places = [numbers.setdefault(label, len(numbers)) for label in labels]
    return torch.tensor(places, dtype=torch.long), len(numbers)


def bootstrap_interval(
    scorer: Scorer,
    scores: Sequence[Score],
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
    labels: Sequence[Hashable] | None = None,
) -> Interval | None:
    """95% interval of the value over all items; None below two units.

    Args:
        scorer: the scorer of the scores; its terms are summed in each draw.
        scores: one an item.
        seed: seed of the draws.
        num_resamples: number of draws.
        labels: the unit (group) of each score; None: each item is a unit of its own.
    """
    unit_of, num_units = units_of(range(len(scores)) if labels is None else labels)
    if num_units < 2:
        return None
    # These words are part of the seed; other words would change every interval.
    stream = f"bootstrap/{scorer.name}/{'utterances' if labels is None else 'units'}"
    generator = make_generator(seed, stream)
    values = _resampled(scorer, scores, unit_of, num_units, generator, num_resamples)
    return percentile_interval(values, num_units)


def percentile_interval(values: Tensor, num_units: int) -> Interval:
    """The expanded percentile interval of the values (R,) of draws of `num_units` units."""
    tail = tail_of(num_units)
    edges = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    low, high = torch.quantile(values, edges).tolist()
    return low, high


def tail_of(num_units: int, confidence: float = CONFIDENCE) -> float:
    """Share of the draws beyond each edge: below (1 - confidence) / 2, and less for few units."""
    from scipy.stats import norm, t

    quantile = t.ppf((1 + confidence) / 2, num_units - 1)
    return float(norm.cdf(-math.sqrt(num_units / (num_units - 1)) * quantile))


def draws(num_units: int, num_resamples: int, generator: torch.Generator) -> list[Tensor]:
    """Chunks (at most _CHUNK, U) of drawn unit numbers."""
    sizes = [_CHUNK] * (num_resamples // _CHUNK) + [num_resamples % _CHUNK]
    return [
        torch.randint(num_units, (size, num_units), generator=generator) for size in sizes if size
    ]


def _resampled(
    scorer: Scorer,
    scores: Sequence[Score],
    unit_of: Tensor,
    num_units: int,
    generator: torch.Generator,
    num_resamples: int,
) -> Tensor:
    """The values (R,) of the draws."""
    units = pooled_sums(scorer, scores).by_unit(unit_of, num_units)
    chunks = draws(num_units, num_resamples, generator)
    return torch.cat([units.numerators[c].sum(1) / units.denominators[c].sum(1) for c in chunks])
