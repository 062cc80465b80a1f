"""Finds which metrics can be measured on this machine, and what to install for the others."""

import gc
from collections.abc import Iterator
from dataclasses import dataclass

from latentspeech.eval.metrics.catalogue import METRICS, Metric, make_scorer
from latentspeech.eval.scoring.pair_scores import prepare_all


@dataclass(frozen=True)
class Availability:
    """One name of METRICS; `missing` is None if it can be measured, else the reason and remedy."""

    name: str
    about: str
    missing: str | None


def check_metrics() -> Iterator[Availability]:
    """Checks each metric by loading its model, one after the other; no cheaper check is sure."""
    known: dict[tuple[object, ...], str | None] = {}
    for name, metric in METRICS.items():
        key = _model_of(metric)
        if key not in known:
            scorer = make_scorer(name)
            known[key] = prepare_all([scorer])[scorer.name].hole
            del scorer
            gc.collect()  # models often have reference cycles
        yield Availability(name, metric.about, known[key])


def _model_of(metric: Metric) -> tuple[object, ...]:
    """Returns a key of the model to load, which does not depend on `held_against`."""
    arguments = {key: value for key, value in metric.arguments.items() if key != "held_against"}
    return (metric.module, metric.scorer, *sorted(arguments.items()))
