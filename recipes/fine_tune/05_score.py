"""Scores what was spoken before and after fine-tuning, and the recordings of the same texts.

Writes scores.json (with a score for each utterance), scores.md and RESULTS.md.
"""

import argparse
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.storage.files import atomic_path, write_json
from latentspeech.core.train.state.averaged_weights import Provenance, training_state
from recipes.fine_tune.score_both import score, table
from recipes.lib.results_file import write_results


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp_dir", type=Path, required=True, help="folder of the run")
    parser.add_argument("--metrics", required=True, help="names with commas between them")
    parser.add_argument("--command", required=True, help="command that RESULTS.md names")
    arguments = parser.parse_args()
    exp_dir: Path = arguments.exp_dir
    reports = score(exp_dir, arguments.metrics.split(","))
    text = table(reports)
    write_json(exp_dir / "scores.json", {kind: one.to_dict() for kind, one in reports.items()})
    with atomic_path(exp_dir / "scores.md") as temporary:
        temporary.write_text(text, encoding="utf-8")
    run = Provenance("fine-tuning", training_state(exp_dir / "tts"))
    write_results(exp_dir / "RESULTS.md", arguments.command, [run.line()], text, [])


if __name__ == "__main__":
    run_recipe(main)
