"""Small scorers for tests of the code that runs scorers.

They are in a module so that worker processes can import them.
"""

import os
import time

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.scorer import MetricUnavailable, Score
from latentspeech.eval.metrics.audio_scorer import AudioScorer


class Peak(AudioScorer):
    """The largest sample; needs neither text nor reference. Counts how often it is prepared."""

    name = "Peak"
    unit = "FS"
    higher_is_better = True

    def __init__(self):
        self.num_prepared = 0
        self.num_scored = 0

    def prepare(self):
        self.num_prepared += 1

    def describe(self):
        return {"metric": self.name, "model": "none"}

    def score(self, reference, hypothesis, sample_rate, transcript=None):
        self.num_scored += 1
        details = {"sample_rate": sample_rate, "samples": len(hypothesis)}
        if reference is not None:
            details["reference_samples"] = len(reference)
        return Score(float(hypothesis.abs().max()), details)


class Pooled(Peak):
    """A pooled metric: the total of peaks over the total of samples."""

    name = "Pooled"

    def terms(self, score):
        return 1e3 * score.value, score.details["samples"]

    def totals(self, scores):
        return {"samples": sum(s.details["samples"] for s in scores)}


class Broken(Peak):
    """Fails in the way that the transcript names, as a library might."""

    name = "Broken"

    def score(self, reference, hypothesis, sample_rate, transcript=None):
        if transcript == "crash":
            raise RuntimeError("inner failure")
        if transcript == "setting":
            raise ConfigError("a setting cannot be used")
        if transcript == "details":
            return Score(1.0, {"not": object()})
        if transcript == "slow":
            time.sleep(0.2)
        if transcript == "die":
            os._exit(9)
        return Score(float("nan")) if transcript == "nan" else Score(0.5)


class Absent(Peak):
    """A scorer whose weights are not on this machine."""

    name = "Absent"

    def prepare(self):
        raise MetricUnavailable("Absent needs weights; run: fetch them")

    def describe(self):
        raise ModuleNotFoundError("the package of Absent")


class Misconfigured(Peak):
    name = "Misconfigured"

    def prepare(self):
        raise ConfigError("LATENTSPEECH_WEIGHTS is no folder")


class Damaged(Peak):
    """A scorer whose file of weights cannot be read."""

    name = "Damaged"

    def prepare(self):
        raise RuntimeError("unexpected end of file")
