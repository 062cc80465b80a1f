"""Scores a set of pictures: measures of the whole set, and of each picture, in one report.

The samples are read once and the reference once. A sample that cannot be read is a failure and is
in no value; a bad picture of the reference is an error, because every number depends on it.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.report import EvalReport, MetricResult
from latentspeech.core.eval.statistics import CONFIDENCE, NUM_RESAMPLES
from latentspeech.core.eval.summary import summarise
from latentspeech.core.storage.provenance import describe_run
from latentvision.eval.catalogue import Metric
from latentvision.eval.features import FeatureKind
from latentvision.eval.picture_set import PictureSet
from latentvision.eval.sample_scores import SampleScores
from latentvision.eval.set_results import Sets, set_result
from latentvision.eval.sets.inception_statistics import InceptionStatistics
from latentvision.eval.sets.measure import FeatureSet
from latentvision.eval.sets.seen import SeenFeatures
from latentvision.eval.tools import load_tools

Progress = Callable[[int, int], None]
_VERSIONS = ("torch", "torch-fidelity", "pytorch-msssim", "lpips", "Pillow")


def score_pictures(
    samples: PictureSet,
    reference: PictureSet | None,
    metrics: Mapping[str, Metric],
    *,
    classifier: Path | None = None,
    statistics: InceptionStatistics | None = None,
    device: torch.device | str = "cpu",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> EvalReport:
    """Measures samples, against a reference where a metric has one.

    Args:
        samples: the pictures under test.
        reference: what they are compared with: a set of real pictures, or for metrics of pairs the
            originals, by their names.
        metrics: the result of `choose_metrics`.
        classifier: directory of a classifier, for the metrics that need one.
        statistics: takes the place of the reference for `fid`.
        device: where networks compute.
        seed: decides intervals and subsets.
        settings: facts to add to those of the report.
        progress: is told (pictures done, all pictures).

    Raises:
        ConfigError: a metric needs something that was not given.
        DataError: a picture of the reference cannot be read.
    """
    scorer = SampleScorer(
        reference, metrics, classifier=classifier, statistics=statistics, device=device
    )
    return scorer.score(samples, seed=seed, settings=settings, progress=progress)


class SampleScorer:
    """Measures sets of samples against one reference, whose features are computed once."""

    def __init__(
        self,
        reference: PictureSet | None,
        metrics: Mapping[str, Metric],
        *,
        classifier: Path | None = None,
        statistics: InceptionStatistics | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        """Loads networks; `score_pictures` explains the arguments."""
        self.reference, self.metrics, self.statistics = reference, metrics, statistics
        self.device = torch.device(device)
        self.tools = load_tools(metrics, classifier, device)
        self.compared = {
            metric.network: self.tools.networks[metric.network]
            for name, metric in metrics.items()
            if metric.measure is not None
            and metric.network in self.tools.networks
            and not (name == "fid" and statistics is not None)
        }
        self.real: dict[FeatureKind, FeatureSet] = {}

    def score(
        self,
        samples: PictureSet,
        *,
        seed: int = 0,
        settings: Mapping[str, Any] | None = None,
        progress: Progress | None = None,
    ) -> EvalReport:
        """Measures samples; `score_pictures` explains the arguments."""
        started = time.monotonic()
        _check_request(samples, self)
        scores = SampleScores(samples, self.reference, self.tools, self.device)
        to_read = len(self.reference or ()) if self.compared and not self.real else 0
        total = len(samples) + to_read

        def tell(done: int) -> None:
            if progress is not None:
                progress(done, total)

        scores.look(tell)
        if to_read:
            self._look_at_reference(lambda done: tell(len(samples) + done))
        return EvalReport(
            metrics=[
                self._result(name, metric, scores, seed) for name, metric in self.metrics.items()
            ],
            items=scores.items,
            failures=scores.failures,
            settings={
                "seed": seed,
                "num_resamples": NUM_RESAMPLES,
                "confidence": CONFIDENCE,
                "samples": str(samples),
                "reference": None if self.reference is None else str(self.reference),
                "image_size": samples.image_size,
                **(settings or {}),
            },
            run=describe_run(time.monotonic() - started, 1, _VERSIONS),
            item_name="image",
            group_name="class",
        )

    def _result(self, name: str, metric: Metric, scores: SampleScores, seed: int) -> MetricResult:
        """The row of a metric."""
        scorer = self.tools.scorers.get(name)
        if scorer is not None:
            description = {
                **scorer.describe(),
                "num_samples": scores.num_readable,
            }
            if self.reference is not None and name in self.tools.pairs:
                description["reference"] = str(self.reference)
            return summarise(
                scorer,
                scores.items,
                {},
                key=name,
                description=description,
                hole=None,
                seed=seed,
                num_resamples=NUM_RESAMPLES,
            )
        sets = Sets(
            None if metric.network is None else scores.made.get(metric.network),
            None if metric.network is None else self.real.get(metric.network),
            self.statistics if name == "fid" else None,
            scores.samples.image_size,
            len(scores.items) - scores.num_readable,
        )
        return set_result(name, metric, self.tools, sets, seed)

    def _look_at_reference(self, tell: Callable[[int], None]) -> None:
        assert self.reference is not None
        seen, done = SeenFeatures(self.compared, self.device), 0
        for batch in self.reference.batches():
            seen.add(batch.images)
            done += len(batch.indices)
            tell(done)
        self.real = seen.sets(str(self.reference))


def _check_request(samples: PictureSet, scorer: SampleScorer) -> None:
    """Raises ConfigError if a metric needs what was not given, or sizes differ."""
    reference = scorer.reference
    if reference is not None and reference.image_size != samples.image_size:
        raise ConfigError(
            f"samples of {samples.image_size} px against a reference of {reference.image_size} px; "
            "expected one size"
        )
    for name, metric in scorer.metrics.items():
        given = reference is not None or (name == "fid" and scorer.statistics is not None)
        if metric.needs in ("a reference", "originals of the same names") and not given:
            raise ConfigError(f"{name} needs {metric.needs}; give --reference")
        if metric.needs == "classes":
            first = samples.record(samples.indices[0])
            if samples.class_of(first) is None:
                raise ConfigError(
                    f"{name} needs the class of every sample, and {samples} has none; put the "
                    "samples into a folder for each class"
                )
