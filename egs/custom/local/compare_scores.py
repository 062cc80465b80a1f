"""One table of the scores before and after fine-tuning, and of the recordings of the same texts.

Speakers' recordings score what the recogniser and the speaker encoder can tell at best.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from latentspeech.core.files import atomic_path
from recipes.averaged_weights import Provenance, training_state
from recipes.one_line_errors import run_recipe
from recipes.results_file import write_results


def read(folder: Path) -> dict[str, Any]:
    """The reports of score_test, by kind of audio."""
    values: dict[str, Any] = json.loads((folder / "scores.json").read_text(encoding="utf-8"))
    return values


def table(before: dict[str, Any], after: dict[str, Any]) -> str:
    """A row each for before, after and the recordings; a column a metric, with its interval."""
    rows = {
        "before": before["synthesis"],
        "after": after["synthesis"],
        "recordings": after["recordings"],
    }
    metrics = after["synthesis"]["metrics"]
    names = [f"{metric['name']} {metric['unit']}".strip() for metric in metrics]
    lines = [f"| audio | {' | '.join(names)} | utterances |", "|---" * (len(names) + 2) + "|"]
    for kind, report in rows.items():
        found = {metric["name"]: metric for metric in report["metrics"]}
        cells = [_cell(found.get(metric["name"])) for metric in metrics]
        lines.append(f"| {kind} | {' | '.join(cells)} | {len(report['utterances'])} |")
    return "\n".join(lines) + "\n"


def _cell(metric: dict[str, Any] | None) -> str:
    return "none" if metric is None or metric["value"] is None else f"{metric['value']:.3f}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="folder of score_test")
    parser.add_argument("--after", type=Path, required=True, help="folder of score_test")
    parser.add_argument("--exp_dir", type=Path, required=True, help="folder of the TTS run")
    parser.add_argument("--command", required=True, help="for RESULTS.md")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder that gets scores.md and RESULTS.md"
    )
    arguments = parser.parse_args()
    text = table(read(arguments.before), read(arguments.after))
    with atomic_path(arguments.out / "scores.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    run = Provenance("fine-tuning", training_state(arguments.exp_dir))
    write_results(arguments.out / "RESULTS.md", arguments.command, [run.line()], text, [])


if __name__ == "__main__":
    run_recipe(main)
