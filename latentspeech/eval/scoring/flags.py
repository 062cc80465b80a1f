"""Marks scores that say less than they seem to, such as one of a copy that breaks off.

A metric that compares two signals cuts both to the common length, so the part that only one of
them has is in no score, and most metrics search no delay. A speaker model that expects speech at
16 kHz hears another voice in a telephone call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from latentspeech.audio.io import audio_duration_s
from latentspeech.core.errors import InputError
from latentspeech.core.eval.report import Flag, ItemResult
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.scoring.pair import EvalPair

# Lengths may differ by this share of the reference's, and by one frame of a codec.
MAX_LENGTH_SHARE = 0.02
FRAME_S = 0.1
_SHOWN = 3


@dataclass(frozen=True)
class Lengths:
    """The lengths of two recordings that are compared, in seconds."""

    reference_s: float
    hypothesis_s: float

    @property
    def differ(self) -> bool:
        """Whether the difference is more than a metric should pass over."""
        difference_s = abs(self.hypothesis_s - self.reference_s)
        return difference_s > max(FRAME_S, MAX_LENGTH_SHARE * self.reference_s)

    def __str__(self) -> str:
        share = abs(self.hypothesis_s - self.reference_s) / self.reference_s
        kind = "shorter" if self.hypothesis_s < self.reference_s else "longer"
        return (
            f"hypothesis is {share:.0%} {kind} than the reference "
            f"({self.hypothesis_s:.2f} s, {self.reference_s:.2f} s)"
        )


def find_flags(items: Sequence[ItemResult]) -> list[Flag]:
    """Returns the flags of all scores, in the order of the items."""
    return [
        Flag(item.id, metric, reason)
        for item in items
        for metric, score in item.scores.items()
        for reason in _reasons(score.details)
    ]


def refuse_unequal_lengths(pairs: Sequence[EvalPair], scorers: Sequence[AudioScorer]) -> None:
    """Raises InputError if a metric would cut a pair whose lengths differ by too much."""
    cutting = [scorer.name for scorer in scorers if scorer.cuts_to_common_length]
    if not cutting:
        return
    found = [(pair.id, lengths) for pair in pairs if (lengths := _lengths(pair)) and lengths.differ]
    if found:
        shown = ", ".join(f"{name}: {lengths}" for name, lengths in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise InputError(
            f"{len(found)} pair(s) differ in length by more than {MAX_LENGTH_SHARE:.0%}, of which "
            f"{', '.join(cutting)} would only compare the common part: {shown}{more}; make them "
            "equal in length or leave out --strict"
        )


def _reasons(details: dict[str, Any]) -> list[str]:
    reasons = []
    if "length_difference_s" in details:
        difference_s = details["length_difference_s"]
        reference_s = details["duration_s"] + max(0.0, -difference_s)
        lengths = Lengths(reference_s, reference_s + difference_s)
        if lengths.differ:
            reasons.append(f"{lengths}: only the common part is compared")
    if details.get("delay_s"):
        delay_s = details["delay_s"]
        kind = "later" if delay_s > 0 else "earlier"
        reasons.append(f"hypothesis is {1000 * abs(delay_s):.1f} ms {kind} than the reference")
    roles = details.get("narrow_band", [])
    if roles:
        verb = "hold" if len(roles) > 1 else "holds"
        reasons.append(f"{' and '.join(roles)} {verb} nothing above 4 kHz, as telephone calls do")
    return reasons


def _lengths(pair: EvalPair) -> Lengths | None:
    """Returns both lengths by the files' headers; None if one is missing or cannot be read."""
    if pair.reference_path is None:
        return None
    try:
        paths = pair.reference_path, pair.hypothesis_path
        reference_s, hypothesis_s = (audio_duration_s(path) for path in paths)
    except InputError:  # scoring names it among the failures
        return None
    return Lengths(reference_s, hypothesis_s) if reference_s else None
