"""A score of pages that is a ratio of sums: nats over tokens, hits over questions."""

from typing import Any

from latentspeech.core.eval.scorer import Score, Scorer


class RatioScorer(Scorer):
    """The value over all pages is the sum of their totals over the sum of their counts."""

    def __init__(
        self,
        key: str,
        name: str,
        unit: str,
        held_against: str,
        description: dict[str, Any],
        higher_is_better: bool = False,
    ) -> None:
        """Args: `key` is the metric's short name; `description` says what the number rests on."""
        self.key, self.name, self.unit = key, name, unit
        self.held_against, self.higher_is_better = held_against, higher_is_better
        self._description = description

    def describe(self) -> dict[str, Any]:
        """What the number rests on."""
        return self._description

    def score(self, total: float, count: float = 1.0) -> Score:
        """The score of a page with a positive count."""
        return Score(total / count, {"count": count})

    def terms(self, score: Score) -> tuple[float, float]:
        """The page's total and count."""
        count = float(score.details["count"])
        return score.value * count, count
