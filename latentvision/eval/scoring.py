"""Scores a set of pictures: measures of the whole set, and of each picture, in one report.

The samples are read once and the reference once. A sample that cannot be read is a failure and is
in no value; a bad picture of the reference is an error, because every number depends on it. B
images, F features, C classes.
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.eval.report import EvalReport, Failure, ItemResult, MetricResult
from latentspeech.core.eval.scorer import Score
from latentspeech.core.eval.statistics import CONFIDENCE, NUM_RESAMPLES
from latentspeech.core.eval.summary import summarise
from latentspeech.core.provenance import describe_run
from latentvision.eval.catalogue import Metric
from latentvision.eval.features import FeatureKind
from latentvision.eval.picture_set import PictureSet
from latentvision.eval.set_results import Sets, set_result
from latentvision.eval.sets.measure import FeatureSet
from latentvision.eval.sets.seen import SeenFeatures
from latentvision.eval.tools import Tools, load_tools

Progress = Callable[[int, int], None]
_VERSIONS = ("torch", "torch-fidelity", "pytorch-msssim", "lpips", "Pillow")


def score_pictures(
    samples: PictureSet,
    reference: PictureSet | None,
    metrics: Mapping[str, Metric],
    *,
    classifier: Path | None = None,
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
        device: where networks compute.
        seed: decides intervals and subsets.
        settings: facts to add to those of the report.
        progress: is told (pictures done, all pictures).

    Raises:
        ConfigError: a metric needs something that was not given.
        DataError: a picture of the reference cannot be read.
    """
    started = time.monotonic()
    _check_request(samples, reference, metrics)
    scoring = _Scoring(samples, reference, load_tools(metrics, classifier, device), device)
    scoring.look(metrics, progress)
    return EvalReport(
        metrics=[scoring.result(name, metric, seed) for name, metric in metrics.items()],
        items=scoring.items,
        failures=scoring.failures,
        settings={
            "seed": seed,
            "num_resamples": NUM_RESAMPLES,
            "confidence": CONFIDENCE,
            "samples": str(samples),
            "reference": None if reference is None else str(reference),
            "image_size": samples.image_size,
            **(settings or {}),
        },
        run=describe_run(time.monotonic() - started, 1, _VERSIONS),
        item_name="image",
        group_name="class",
    )


class _Scoring:
    """The state of one evaluation."""

    def __init__(
        self,
        samples: PictureSet,
        reference: PictureSet | None,
        tools: Tools,
        device: torch.device | str,
    ) -> None:
        self.samples, self.reference = samples, reference
        self.tools, self.device = tools, torch.device(device)
        self.items: list[ItemResult] = []
        self.failures: list[Failure] = []
        self._made: dict[FeatureKind, FeatureSet] = {}
        self._real: dict[FeatureKind, FeatureSet] = {}
        self._num_unreadable = 0

    def look(self, metrics: Mapping[str, Metric], progress: Progress | None) -> None:
        """Reads all pictures: features of both sets, scores of the samples."""
        compared = {m.network for m in metrics.values() if m.measure is not None}
        networks = {k: n for k, n in self.tools.networks.items() if k in compared}
        lengths = [len(self.samples), len(self.reference or ()) if networks else 0]

        def tell(done: int) -> None:
            if progress is not None:
                progress(done, sum(lengths))

        unreadable: dict[int, str] = {}
        originals = self._originals()
        seen = SeenFeatures(self.tools.networks, self.device)
        for batch in self.samples.batches(unreadable):
            seen.add(batch.images)
            for index, image in zip(batch.indices, batch.images, strict=True):
                self._add_item(index, image, originals)
            tell(len(self.items) + len(unreadable))
        if not self.items:
            reasons = next(iter(unreadable.values()), "there are none")
            raise InputError(f"no picture of {self.samples} can be scored: {reasons}")
        self._made = seen.sets(str(self.samples))
        self._score_classes()
        for index, reason in unreadable.items():
            self.failures.append(Failure(self.samples.record(index).id, "all", reason))
            self.items.append(self._item(index, {}))
        self._num_unreadable = len(unreadable)
        if networks and self.reference is not None:
            seen, done = SeenFeatures(networks, self.device), lengths[0]
            for batch in self.reference.batches():
                seen.add(batch.images)
                done += len(batch.indices)
                tell(done)
            self._real = seen.sets(str(self.reference))

    def result(self, name: str, metric: Metric, seed: int) -> MetricResult:
        """The row of a metric."""
        scorer = self.tools.scorers.get(name)
        if scorer is not None:
            description = {
                **scorer.describe(),
                "num_samples": len(self.items) - self._num_unreadable,
            }
            if self.reference is not None and name in self.tools.pairs:
                description["reference"] = str(self.reference)
            return summarise(
                scorer,
                self.items,
                {},
                key=name,
                description=description,
                hole=None,
                seed=seed,
                num_resamples=NUM_RESAMPLES,
            )
        sets = Sets(
            None if metric.network is None else self._made.get(metric.network),
            None if metric.network is None else self._real.get(metric.network),
            self.samples.image_size,
            self._num_unreadable,
        )
        return set_result(name, metric, self.tools, sets, seed)

    def _originals(self) -> dict[str, int]:
        """The places of the originals in the reference, by name; empty if nothing needs them."""
        if not self.tools.pairs or self.reference is None:
            return {}
        return {self.reference.record(index).id: index for index in self.reference.indices}

    def _item(self, index: int, originals: Mapping[str, int]) -> ItemResult:
        record = self.samples.record(index)
        return ItemResult(
            record.id,
            hypothesis=record.id,
            reference=record.id if record.id in originals else None,
            group=self.samples.class_of(record),
        )

    def _add_item(self, index: int, image: Tensor, originals: Mapping[str, int]) -> None:
        item = self._item(index, originals)
        self.items.append(item)
        if not self.tools.pairs or self.reference is None:
            return
        try:
            if item.id not in originals:
                raise InputError(
                    f"{self.reference} has no picture {item.id}; expected one of that name"
                )
            real = self.reference.image(originals[item.id])
        except (InputError, DataError) as error:
            for scorer in self.tools.pairs.values():
                self.failures.append(Failure(item.id, scorer.name, str(error)))
            return
        for scorer in self.tools.pairs.values():
            try:
                item.scores[scorer.name] = scorer.score(real, image)
            except InputError as error:
                self.failures.append(Failure(item.id, scorer.name, str(error)))

    def _score_classes(self) -> None:
        """Adds the scores by the classifier."""
        if not self.tools.classes:
            return
        features = self._made["classifier"].features.to(self.device)  # (N, F)
        logits = self.tools.networks["classifier"].classify(features)  # (N, C)
        odds, named = logits.softmax(dim=1).max(dim=1)
        found = zip(self.items, named.tolist(), odds.tolist(), strict=True)
        for item, number, probability in found:
            for scorer in self.tools.classes.values():
                try:
                    item.scores[scorer.name] = _class_score(scorer, item, number, probability)
                except InputError as error:
                    self.failures.append(Failure(item.id, scorer.name, str(error)))


def _class_score(scorer: Any, item: ItemResult, number: int, probability: float) -> Score:
    if item.group is None:
        raise InputError(f"{item.id} has no class; expected one, by its folder or number")
    score: Score = scorer.score(item.group, number, probability)
    return score


def _check_request(
    samples: PictureSet, reference: PictureSet | None, metrics: Mapping[str, Metric]
) -> None:
    """Raises ConfigError if a metric needs what was not given."""
    for name, metric in metrics.items():
        if metric.needs in ("a reference", "originals of the same names") and reference is None:
            raise ConfigError(f"{name} needs {metric.needs}; give --reference")
        if metric.needs == "classes":
            first = samples.record(samples.indices[0])
            if samples.class_of(first) is None:
                raise ConfigError(
                    f"{name} needs the class of every sample, and {samples} has none; put the "
                    "samples into a folder for each class"
                )
