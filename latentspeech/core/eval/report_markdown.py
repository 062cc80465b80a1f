"""Writes a report as Markdown: values, parts of the items, method and failures."""

from collections.abc import Sequence
from pathlib import Path

from latentspeech.core.eval.report import Bucket, EvalReport, Interval, MetricResult
from latentspeech.core.storage.files import atomic_path, write_json

_SHOWN_FAILURES = 20


def write_report(report: EvalReport, json_path: Path) -> None:
    """Writes the JSON and, beside it with the suffix `.md`, the tables, both atomically."""
    write_json(json_path, report.to_dict())
    with atomic_path(json_path.with_suffix(".md")) as temporary:
        temporary.write_text(render(report), encoding="utf-8")


def render(report: EvalReport) -> str:
    """The whole report as Markdown, which begins with the table of values over all items."""
    lines = [
        *_table(report),
        *_holes(report),
        *_buckets(report),
        *_method(report),
        *_flags(report),
        *_failures(report),
    ]
    return "\n".join(lines) + "\n"


def _table(report: EvalReport) -> list[str]:
    lines = [
        f"| metric | value | 95% over {_plural(report.item_name)} "
        f"| 95% over {_plural(report.group_name)} | better | scored | failed |",
        "|---|---|---|---|---|---|---|",
    ]
    for metric in report.metrics:
        value = "none" if metric.value is None else f"{metric.value:.3f} {metric.unit}".strip()
        better = "higher" if metric.higher_is_better else "lower"
        flagged = report.num_flagged(metric.name)
        scored = f"{metric.num_scored}, {flagged} flagged" if flagged else metric.num_scored
        lines.append(
            f"| {metric.name} | {value} | {_interval(metric.interval)} "
            f"| {_interval(metric.group_interval)} | {better} "
            f"| {scored} | {metric.num_failed} |"
        )
    return lines


def _holes(report: EvalReport) -> list[str]:
    if not report.holes:
        return []
    reasons = [f"- {name}: {_one_line(reason)}" for name, reason in report.holes.items()]
    return ["", "Not measured on this machine:", "", *reasons]


def _buckets(report: EvalReport) -> list[str]:
    lines: list[str] = []
    for kind in _kinds(report.metrics):
        # A table of many groups is too long here; it is in the JSON file and on the page.
        if kind == report.group_name:
            continue
        found = [(metric, metric.buckets_by(kind)) for metric in report.metrics]
        found = [(metric, buckets) for metric, buckets in found if buckets]
        labels = _labels([buckets for _, buckets in found])
        names = " | ".join(metric.name for metric, _ in found)
        lines += ["", f"| {kind} | {names} | {report.item_name}s |"]
        lines.append("|---" * (len(found) + 2) + "|")
        for label in labels:
            row = [_find(buckets, label) for _, buckets in found]
            values = ["none" if part is None else f"{part.value:.3f}" for part in row]
            count = max(part.num_scored for part in row if part is not None)
            lines.append(f"| {label} | {' | '.join(values)} | {count} |")
    return lines


def _kinds(metrics: Sequence[MetricResult]) -> list[str]:
    """The kinds of buckets, in order of first appearance."""
    return list(dict.fromkeys(bucket.kind for metric in metrics for bucket in metric.buckets))


def _labels(tables: Sequence[Sequence[Bucket]]) -> list[str]:
    """All labels, in the order of the longest list; then those that it lacks."""
    longest = max(tables, key=len)
    labels = [bucket.label for bucket in longest]
    extra = [b.label for table in tables for b in table if b.label not in labels]
    return labels + list(dict.fromkeys(extra))


def _find(buckets: Sequence[Bucket], label: str) -> Bucket | None:
    return next((bucket for bucket in buckets if bucket.label == label), None)


def _method(report: EvalReport) -> list[str]:
    lines = ["", "Measured with:", ""]
    for metric in report.metrics:
        if metric.hole is not None:
            continue
        parts = (f"{key} {value}" for key, value in metric.description.items() if key != "metric")
        lines.append(f"- {metric.name}: {'; '.join(parts)}")
        if metric.totals:
            counts = ", ".join(f"{count} {kind}" for kind, count in metric.totals.items())
            lines.append(f"  (pooled: {counts})".replace("_", " "))
        if metric.beside:
            values = ", ".join(f"{kind} {value:.3f}" for kind, value in metric.beside.items())
            lines.append(f"  (beside: {values})".replace("_", " "))
    source = report.settings.get("list")
    if source:
        lines.append("- list: " + "; ".join(f"{key} {value}" for key, value in source.items()))
    if report.run:
        run = report.run
        memory = run["peak_memory_bytes"] / 2**20
        lines += [
            f"- command: `{run['command']}`",
            f"- commit {run['commit']}, {run['date']}, {run['hardware']}",
            f"- {run['seconds']} s, {run['jobs']} process(es), at most {memory:.0f} MiB",
        ]
    return lines


def _flags(report: EvalReport) -> list[str]:
    """One line for each item and reason, with all metrics that it concerns."""
    metrics: dict[tuple[str, str], list[str]] = {}
    for flag in report.flags:
        metrics.setdefault((flag.id, flag.reason), []).append(flag.metric)
    if not metrics:
        return []
    lines = [
        f"- {item}: {_one_line(reason)} ({', '.join(names)})"
        for (item, reason), names in metrics.items()
    ]
    hidden = len(lines) - _SHOWN_FAILURES
    rest = [f"- and {hidden} more, all in the JSON file"] if hidden > 0 else []
    return ["", f"Flagged ({len(lines)}):", "", *lines[:_SHOWN_FAILURES], *rest]


def _failures(report: EvalReport) -> list[str]:
    if not report.failures:
        return []
    lines = ["", f"Not scored ({len(report.failures)}):", ""]
    shown = report.failures[:_SHOWN_FAILURES]
    lines += [f"- {f.id}, {f.metric}: {_one_line(f.reason)}" for f in shown]
    hidden = len(report.failures) - len(shown)
    return lines + ([f"- and {hidden} more, all in the JSON file"] if hidden else [])


def _interval(edges: Interval | None) -> str:
    return "none" if edges is None else f"{edges[0]:.3f} to {edges[1]:.3f}"


def _plural(noun: str) -> str:
    return noun + ("es" if noun.endswith("s") else "s")


def _one_line(text: str) -> str:
    return " ".join(text.split())
