"""Markdown tables of recipes.codec.check: copies beside originals, and groups of cuts."""

from collections.abc import Mapping
from dataclasses import dataclass

from latentspeech.core.eval.comparison import compare
from latentspeech.core.eval.report import EvalReport, Interval, MetricResult
from latentspeech.eval.metrics.catalogue import make_scorer


@dataclass(frozen=True)
class Checked:
    """The reports of one group of cuts."""

    copies: EvalReport
    originals: EvalReport | None  # None if all metrics need a reference


def originals_table(originals: EvalReport, copies: EvalReport) -> str:
    """Originals and copies side by side, with the paired interval of their difference."""
    lines = [
        "| metric | originals | 95% over utterances | copies | copies - originals "
        "| 95% over utterances | 95% over speakers |",
        "|---|---|---|---|---|---|---|",
    ]
    for metric in originals.metrics:
        theirs = copies.metric(metric.name)
        if metric.value is None or theirs.value is None:
            lines.append(f"| {metric.name} | none | none | none | none | none | none |")
            continue
        found = compare(originals, copies, metric.name, make_scorer, common_only=True)
        lines.append(
            f"| {metric.name} | {metric.value:.3f} {metric.unit} | {_edges(metric.interval)} "
            f"| {theirs.value:.3f} {metric.unit} | {found.difference:+.3f} "
            f"| {_edges(found.interval)} | {_edges(found.group_interval)} |"
        )
    return "\n".join(lines) + "\n"


def groups_table(checked: Mapping[str, Checked]) -> str:
    """A row for each group's copies and originals, a column for each metric, with intervals."""
    metrics = next(iter(checked.values())).copies.metrics
    names = [f"{metric.name} {metric.unit}".strip() for metric in metrics]
    lines = [f"| audio | {' | '.join(names)} | utterances |", "|---" * (len(names) + 2) + "|"]
    for name, group in checked.items():
        for kind, report in (("copies", group.copies), ("originals", group.originals)):
            if report is None:
                continue
            found = {metric.name: metric for metric in report.metrics}
            cells = [_value(found.get(metric.name)) for metric in metrics]
            lines.append(f"| {name} {kind} | {' | '.join(cells)} | {len(report.items)} |")
    return "\n".join(lines) + "\n"


def _value(metric: MetricResult | None) -> str:
    if metric is None:
        return "-"
    return "none" if metric.value is None else f"{metric.value:.3f} ({_edges(metric.interval)})"


def _edges(interval: Interval | None) -> str:
    return "none" if interval is None else f"{interval[0]:.3f} to {interval[1]:.3f}"
