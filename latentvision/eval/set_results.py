"""A report's row of a measure of a whole set: its value, or a hole, with all that it depends on."""

from typing import Any, NamedTuple

from latentspeech.core.device import describe_device
from latentspeech.core.errors import InputError
from latentspeech.core.eval.report import MetricResult
from latentspeech.core.eval.scorer import package_version
from latentvision.eval.catalogue import Metric
from latentvision.eval.features import Features
from latentvision.eval.sets.frechet import distance_from
from latentvision.eval.sets.inception_score import inception_score
from latentvision.eval.sets.inception_statistics import InceptionStatistics
from latentvision.eval.sets.measure import FeatureSet, Measured
from latentvision.eval.tools import Tools


class Sets(NamedTuple):
    """The features of samples and reference by the metric's network, where there are any."""

    made: FeatureSet | None
    real: FeatureSet | None
    statistics: InceptionStatistics | None  # take the place of `real`
    image_size: int
    num_unreadable: int


def set_result(name: str, metric: Metric, tools: Tools, sets: Sets, seed: int) -> MetricResult:
    """Measures, and makes the row.

    Args:
        name: the metric's name on the command line.
        metric: a measure of sets, or the Inception Score.
        tools: the loaded networks, and reasons for holes.
        sets: the features.
        seed: decides intervals and subsets.
    """
    hole, measured, description, against = tools.holes.get(name), None, {}, "nothing"
    if hole is None:
        assert metric.network is not None
        network = tools.networks[metric.network]
        try:
            measured = _measure(metric, network, sets, seed)
        except InputError as error:
            hole = f"{metric.title}: {error}"
        else:
            description = _describe(network, sets, measured)
    if measured is not None and sets.statistics is not None:
        against = str(sets.statistics)
        description |= {"reference": against}
    elif measured is not None and sets.real is not None and metric.measure is not None:
        against = f"{len(sets.real)} images of {sets.real.name}"
        description |= {"reference": sets.real.name, "num_reference": len(sets.real)}
    return MetricResult(
        key=name,
        name=metric.title,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        held_against=against,
        value=None if measured is None else measured.value,
        interval=None if measured is None else measured.interval,
        group_interval=None,
        num_scored=0 if measured is None or sets.made is None else len(sets.made),
        num_failed=sets.num_unreadable,
        totals={},
        description=description,
        hole=hole,
        beside={} if measured is None else dict(measured.beside),
    )


def _measure(metric: Metric, network: Features, sets: Sets, seed: int) -> Measured:
    assert sets.made is not None
    if sets.statistics is not None:
        return distance_from(sets.made, sets.statistics.moments, seed)
    if metric.measure is not None:
        assert sets.real is not None
        return metric.measure(sets.made, sets.real, seed)
    device = next(network.parameters()).device
    logits = network.classify(sets.made.features.to(device)).cpu()
    return inception_score(logits, sets.made.name, seed)


def _describe(network: Features, sets: Sets, measured: Measured) -> dict[str, Any]:
    assert sets.made is not None
    return {
        **network.description,
        **describe_device(next(network.parameters()).device),
        "num_samples": len(sets.made),
        "image_size": sets.image_size,
        **measured.facts,
        "formula": package_version("torch-fidelity"),
    }
