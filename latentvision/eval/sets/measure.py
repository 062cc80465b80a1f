"""What every measure of a whole set of images takes and gives, and how sure its value is.

A set's measure is no mean over its images, so there is nothing to draw again a thousand times at
little cost. Instead the set is cut at random into ten groups:

- `jackknife_interval` leaves one group out at a time (Kott 2001, "The delete-a-group jackknife",
  Journal of Official Statistics 17(4)). It suits a measure that depends on the size of the set,
  such as the Frechet distance, whose bias it does not take for scatter.
- `groups_interval` measures each group by itself. It suits measures that are means over groups.

Both say which values other samples of the same model would give against the same reference.
N images, F features, G groups.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.eval.report import Interval
from latentspeech.core.eval.statistics import CONFIDENCE
from latentspeech.core.tensors import make_generator

NUM_GROUPS = 10


@dataclass(frozen=True, eq=False)
class FeatureSet:
    """The features of a set of images by one network."""

    name: str  # stands for the set in every number
    features: Tensor  # (N, F) float32

    def __len__(self) -> int:
        return len(self.features)


@dataclass(frozen=True)
class Measured:
    """A measure's value, its interval, and what else is to be said about it."""

    value: float
    interval: Interval | None = None
    beside: Mapping[str, float] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)


def random_groups(count: int, seed: int) -> list[Tensor]:
    """Cuts the indices of `count` images at random into NUM_GROUPS groups of about equal size."""
    order = torch.randperm(count, generator=make_generator(seed, "groups"))
    return list(order.tensor_split(NUM_GROUPS))


def jackknife_interval(value: float, without: Sequence[float]) -> Interval:
    """The 95% interval around `value` from the values (G) that leave one group out."""
    count, mean = len(without), math.fsum(without) / len(without)
    squares = math.fsum((left - mean) ** 2 for left in without)
    return _around(value, math.sqrt((count - 1) / count * squares), count)


def groups_interval(value: float, deviation: float, count: int) -> Interval:
    """The 95% interval around `value`, the mean over `count` groups.

    Args:
        value: mean of the groups' values.
        deviation: their deviation, sqrt(mean of squares) as numpy computes it.
        count: number of groups.
    """
    return _around(value, deviation / math.sqrt(count - 1), count)


def _around(value: float, error: float, count: int) -> Interval:
    from scipy.stats import t

    half = error * float(t.ppf((1 + CONFIDENCE) / 2, count - 1))
    return value - half, value + half
