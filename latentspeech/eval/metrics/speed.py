"""Speed of synthesis, from the times in the list, which were measured when the audio was made.

RTF is seconds computed per second of audio (below 1 is faster than real time); the value of a
corpus is the total of one divided by the total of the other. RTF and TTFA depend on the machine
that made the audio, which the list names as `hardware`; nothing is measured here.
"""

import math
from abc import abstractmethod
from typing import Any

from torch import Tensor

from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import Score
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.scoring.pair import EvalPair


class TimingScorer(AudioScorer):
    """A metric of how the audio was made; `score_timing` gets the pair instead of the samples."""

    @abstractmethod
    def score_timing(self, pair: EvalPair, duration_s: float) -> Score:
        """Scores one utterance whose generated part lasts `duration_s`."""

    def score(
        self,
        reference: Tensor | None,
        hypothesis: Tensor,
        sample_rate: int,
        transcript: str | None = None,
    ) -> Score:
        """InputError: audio does not say how long it took."""
        raise InputError(f"{self.name} comes from the times in a list, not from audio")


class RealTimeFactor(TimingScorer):
    """Seconds computed per second of generated audio; a given prefix is not counted as audio."""

    name = "RTF"
    unit = "s/s"
    higher_is_better = False
    prefix = "excluded"

    def describe(self) -> dict[str, Any]:
        """Describes where the times come from and how they are pooled."""
        return {
            "metric": self.name,
            "model": "none",
            "source": "compute_s of the list, length of the audio by its header",
            "hardware": "the machine that made the audio",
            "aggregation": "total seconds computed / total seconds of audio",
        }

    def score_timing(self, pair: EvalPair, duration_s: float) -> Score:
        """RTF of one utterance."""
        compute_s = _time(self.name, "compute_s", pair.compute_s)
        if duration_s <= 0:
            raise InputError(f"{self.name} needs generated audio; found {duration_s:.3f} s of it")
        details = {"compute_s": compute_s, "audio_s": duration_s}
        return Score(compute_s / duration_s, details)

    def terms(self, score: Score) -> tuple[float, float]:
        """Seconds computed and seconds of audio: the corpus value is their sums' ratio."""
        return score.details["compute_s"], score.details["audio_s"]


class TimeToFirstAudio(TimingScorer):
    """Milliseconds from the request to the first samples, mean over utterances."""

    name = "TTFA"
    unit = "ms"
    higher_is_better = False
    prefix = "excluded"

    def describe(self) -> dict[str, Any]:
        """Describes where the times come from and how they are pooled."""
        return {
            "metric": self.name,
            "model": "none",
            "source": "first_audio_s of the list",
            "hardware": "the machine that made the audio",
            "aggregation": "mean over utterances",
        }

    def score_timing(self, pair: EvalPair, duration_s: float) -> Score:
        """Time to first audio of one utterance."""
        return Score(1000 * _time(self.name, "first_audio_s", pair.first_audio_s))


def _time(metric: str, field: str, seconds: float | None) -> float:
    if seconds is None:
        raise InputError(
            f"{metric} needs {field}; the list has none: write it when the audio is made"
        )
    if not (math.isfinite(seconds) and seconds > 0):
        raise InputError(f"{metric}: {field} is {seconds}; expected a positive time in seconds")
    return seconds
