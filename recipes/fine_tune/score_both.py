"""Scores what was spoken before and after fine-tuning, and the recordings of the same texts.

The scores of the recordings are the best that recogniser and speaker encoder can give. Writes
scores.json (with a score for each utterance), scores.md and RESULTS.md.
"""

import argparse
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.eval.report import EvalReport, MetricResult
from latentspeech.core.files import atomic_path, write_json
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.lists import read_list
from recipes.lib.averaged_weights import Provenance, training_state
from recipes.lib.results_file import write_results
from recipes.tts.score_test import METRICS, recordings_of


def score(exp_dir: Path) -> dict[str, EvalReport]:
    """A report for each kind of audio."""
    before, after = (read_list(exp_dir / part / "items.jsonl") for part in ("before", "after"))
    pairs = {
        "before": before.pairs(),
        "after": after.pairs(),
        "recordings": recordings_of(after.pairs()),
    }
    scorers = make_scorers(METRICS)
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


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp_dir", type=Path, required=True, help="of the recipe")
    parser.add_argument("--command", required=True, help="for RESULTS.md")
    arguments = parser.parse_args()
    exp_dir: Path = arguments.exp_dir
    reports = score(exp_dir)
    text = table(reports)
    write_json(exp_dir / "scores.json", {kind: one.to_dict() for kind, one in reports.items()})
    with atomic_path(exp_dir / "scores.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    run = Provenance("fine-tuning", training_state(exp_dir / "tts"))
    write_results(exp_dir / "RESULTS.md", arguments.command, [run.line()], text, [])


if __name__ == "__main__":
    run_recipe(main)
