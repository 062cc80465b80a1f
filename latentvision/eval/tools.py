"""Loads the networks and scorers that metrics need, each once; a missing one is a hole."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch

from latentspeech.core.eval.scorer import MetricUnavailable, Scorer, require_packages
from latentvision.eval.accuracy import ClassAccuracy, Recognised
from latentvision.eval.catalogue import METRICS, Metric
from latentvision.eval.features import ClassifierFeatures, FeatureKind, Features, load_features
from latentvision.eval.image_scorer import ImageScorer, Psnr, Ssim
from latentvision.eval.perceptual_scorer import HedVggScorer, LpipsScorer


@dataclass
class Tools:
    """Networks by their names, scorers of single images by metric, reasons for holes by metric."""

    networks: dict[FeatureKind, Features] = field(default_factory=dict)
    pairs: dict[str, ImageScorer] = field(default_factory=dict)
    classes: dict[str, ClassAccuracy] = field(default_factory=dict)
    holes: dict[str, str] = field(default_factory=dict)

    @property
    def scorers(self) -> dict[str, Scorer]:
        """All scorers of single images."""
        return {**self.pairs, **self.classes}


def load_tools(
    metrics: Mapping[str, Metric], classifier: Path | None, device: torch.device | str = "cpu"
) -> Tools:
    """Loads what these metrics need; what is missing on this machine becomes a hole.

    Raises:
        ConfigError: a metric needs the classifier, whose directory is not given.
        CheckpointError: weights are there, but damaged.
    """
    tools = Tools()
    missing: dict[FeatureKind, str] = {}
    for name, metric in metrics.items():
        try:
            if metric.network is None:
                tools.pairs[name] = _pair_scorer(name, device)
                continue
            if metric.network in missing:
                raise MetricUnavailable(missing[metric.network])
            if metric.network not in tools.networks:
                network = load_features(metric.network, classifier).to(device)
                tools.networks[metric.network] = network
            _prepare(name, metric, tools)
        except MetricUnavailable as error:
            tools.holes[name] = str(error)
            if metric.network is not None and metric.network not in tools.networks:
                missing[metric.network] = str(error)
    return tools


def check_metrics(classifier: Path | None = None) -> Iterator[tuple[str, str | None]]:
    """Each metric's name, and what is missing on this machine for it; None: nothing."""
    known: dict[FeatureKind | None, str | None] = {}
    for name, metric in METRICS.items():
        if metric.network == "classifier" and classifier is None:
            yield name, "needs the directory of a classifier; give --classifier DIR"
            continue
        if metric.network is None or metric.network not in known:
            known[metric.network] = load_tools({name: metric}, classifier).holes.get(name)
        yield name, known[metric.network]


def _prepare(name: str, metric: Metric, tools: Tools) -> None:
    """Makes the scorer of a metric of classes; checks the library of a measure of sets."""
    network = tools.networks[metric.network] if metric.network else None
    match name:
        case "accuracy" | "recognised":
            assert isinstance(network, ClassifierFeatures)
            kind = ClassAccuracy if name == "accuracy" else Recognised
            tools.classes[name] = kind(network)
        case _:
            require_packages(metric.title, {"torch_fidelity": "torch-fidelity"})


def _pair_scorer(name: str, device: torch.device | str) -> ImageScorer:
    scorer: ImageScorer
    match name:
        case "psnr":
            scorer = Psnr()
        case "ssim":
            scorer = Ssim()
        case "lpips":
            scorer = LpipsScorer(device)
        case _:
            scorer = HedVggScorer(device)
    scorer.prepare()
    return scorer
