"""The scorer contract: what every metric says about itself, and how its scores become one number.

A scorer measures one item at a time, by a method of its modality (`AudioScorer.score` hears two
signals). It owns the way its scores become one number for all items: a mean for most, pooled errors
over pooled words for WER. A package or model that is missing makes the metric unavailable, with the
command that brings it: the report keeps a hole with that reason, and a number is never made up.
"""

import importlib.metadata
import importlib.util
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from latentspeech.core.errors import ConfigError, InputError


class MetricUnavailable(ConfigError):  # noqa: N818  it is no fault of anybody's
    """A metric's package or weights are not on this machine; the message says what brings them."""


@dataclass(frozen=True)
class Score:
    """One item's result. `details` is what `terms` and a reader of the report need."""

    value: float
    details: dict[str, Any] = field(default_factory=dict)


class Scorer(ABC):
    """One metric. Making one is cheap; `prepare` loads its model, once, before the first score."""

    name: str
    unit: str  # "" for a pure number
    higher_is_better: bool
    held_against: str = "nothing"  # what an item is compared with, in the modality's words

    def prepare(self) -> None:  # noqa: B027  most metrics have nothing to load
        """Loads packages and weights; MetricUnavailable if they are not on this machine."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What the number depends on: model, checkpoint, sample rate, normaliser, packages."""

    def terms(self, score: Score) -> tuple[float, float]:
        """Numerator and denominator of one item: the value over all is the ratio of their sums.

        By default the mean; a metric that pools (errors over words) gives its counts.
        """
        return score.value, 1.0

    def aggregate(self, scores: Sequence[Score]) -> float:
        """The value over all items; InputError if there is none."""
        if not scores:
            raise InputError(f"{self.name}: no scores to aggregate; expected at least one")
        numerators, denominators = zip(*(self.terms(score) for score in scores), strict=True)
        return math.fsum(numerators) / math.fsum(denominators)

    def totals(self, scores: Sequence[Score]) -> dict[str, int]:
        """Pooled counts behind that value, for metrics that pool; none otherwise."""
        return {}

    def beside(self, scores: Sequence[Score]) -> dict[str, float]:
        """Other values over all items out of the same scores, by name; none by default."""
        return {}


def require_packages(metric: str, packages: dict[str, str]) -> None:
    """Raises MetricUnavailable naming the missing packages of {module: what pip installs}."""
    missing = [pip for module, pip in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise MetricUnavailable(
            f"{metric} needs {len(missing)} package(s) that are not installed; "
            f"run: pip install {' '.join(missing)}"
        )


def package_version(distribution: str) -> str:
    """`name version` of an installed distribution, for `describe`."""
    return f"{distribution} {importlib.metadata.version(distribution)}"
