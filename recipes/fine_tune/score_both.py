"""Scores of the audio before and after fine-tuning and of the recordings, as a table.

The scores of the recordings are the best that recogniser and speaker encoder can give.
"""

from collections.abc import Sequence
from pathlib import Path

from latentspeech.core.eval.report import EvalReport, MetricResult
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.lists import read_list
from recipes.tts.test_set.score_test import recordings_of


def score(exp_dir: Path, metrics: Sequence[str]) -> dict[str, EvalReport]:
    """A report for each kind of audio."""
    before, after = (read_list(exp_dir / part / "items.jsonl") for part in ("before", "after"))
    pairs = {
        "before": before.pairs(),
        "after": after.pairs(),
        "recordings": recordings_of(after.pairs()),
    }
    scorers = make_scorers(metrics)
    settings = {"list": after.describe()}
    return {kind: evaluate(own, scorers, settings=settings) for kind, own in pairs.items()}


def table(reports: dict[str, EvalReport]) -> str:
    """A row for each kind of audio, a column for each metric, with 95% intervals."""
    names = [f"{metric.name} {metric.unit}".strip() for metric in reports["after"].metrics]
    lines = [f"| audio | {' | '.join(names)} | utterances |", "|---" * (len(names) + 2) + "|"]
    for kind, report in reports.items():
        cells = [_cell(metric) for metric in report.metrics]
        lines.append(f"| {kind} | {' | '.join(cells)} | {len(report.items)} |")
    return "\n".join(lines) + "\n"


def _cell(metric: MetricResult) -> str:
    if metric.value is None:
        return "none"
    if metric.interval is None:
        return f"{metric.value:.3f}"
    low, high = metric.interval
    return f"{metric.value:.3f} ({low:.3f} to {high:.3f})"
