"""The interface of all metrics: their description, and how their scores become one number.

A scorer measures one item at a time, by a method of its modality (`AudioScorer.score` takes two
signals). It also defines how its scores become one number for all items: a mean for most metrics,
pooled errors over pooled words for WER. If a package or model is missing, the metric is
unavailable: the report has a hole with the reason and the command that installs it, never an
invented number.
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
    """A metric's package or weights are not on this machine; the message says how to get them."""


@dataclass(frozen=True)
class Score:
    """One item's result. `details` holds what `terms` and a reader of the report need."""

    value: float
    details: dict[str, Any] = field(default_factory=dict)


class Scorer(ABC):
    """One metric. It is cheap to make; `prepare` loads its model, once, before the first score."""

    name: str
    unit: str  # "" for a pure number
    higher_is_better: bool
    held_against: str = "nothing"  # the thing that an item is compared with

    def prepare(self) -> None:  # noqa: B027  most metrics have nothing to load
        """Loads packages and weights; MetricUnavailable if they are not on this machine."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Facts the number depends on: model, checkpoint, sample rate, normaliser, packages."""

    def terms(self, score: Score) -> tuple[float, float]:
        """Numerator and denominator of one item; the value over all is the ratio of their sums.

        By default this value is the mean; a metric that pools (errors over words) returns counts.
        """
        return score.value, 1.0

    def aggregate(self, scores: Sequence[Score]) -> float:
        """The value over all items; InputError if there are no scores."""
        if not scores:
            raise InputError(f"{self.name}: no scores to aggregate; expected at least one")
        numerators, denominators = zip(*(self.terms(score) for score in scores), strict=True)
        return math.fsum(numerators) / math.fsum(denominators)

    def totals(self, scores: Sequence[Score]) -> dict[str, int]:
        """The pooled counts of that value, for metrics that pool; empty otherwise."""
        return {}

    def beside(self, scores: Sequence[Score]) -> dict[str, float]:
        """Other values over all items from the same scores, by name; empty by default."""
        return {}


def require_packages(metric: str, packages: dict[str, str]) -> None:
    """Raises MetricUnavailable for missing packages; `packages` is {module: its name for pip}."""
    missing = [pip for module, pip in packages.items() if importlib.util.find_spec(module) is None]
    if missing:
        raise MetricUnavailable(
            f"{metric} needs {len(missing)} package(s) that are not installed; "
            f"run: pip install {' '.join(missing)}"
        )


def package_version(distribution: str) -> str:
    """`name version` of an installed distribution, for `describe`."""
    return f"{distribution} {importlib.metadata.version(distribution)}"
