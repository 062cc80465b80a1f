"""Puts the runs of run_rates.sh into RESULTS.md: a model at other latent rates, in another layout.

python egs/mini/local/rate_table.py --exp_dir egs/mini/exp/rates --names frames_1 frames_2
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from latentspeech.codec.model_directory import load_codec_module
from latentspeech.core.command import run_recipe
from latentspeech.core.eval.paper_tables.beside import cell_of
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.train.state.averaged_weights import training_state
from recipes.lib.results_file import provenance_lines, write_section

SECTION = "latent rates"
METRICS = ("WER-W", "SIM-o-GE2E", "SIM-r-GE2E", "DNSMOS")


def cell(report: EvalReport, name: str) -> str:
    """A metric's value with the wider one of its two intervals."""
    found = next((metric for metric in report.metrics if metric.name == name), None)
    if found is None or found.value is None:
        return "-"
    low, high = cell_of(found).interval or (found.value, found.value)
    return f"{found.value:.3f} ({low:.3f} to {high:.3f})"


def last_validation(run: Path) -> float:
    """The diffusion loss of the last validation."""
    values = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    return float([row["valid/diffusion"] for row in values if "valid/diffusion" in row][-1])


def rows(exp_dir: Path, names: Sequence[str]) -> list[str]:
    """A row for each run and one for the recordings."""
    head = ["speech", "latents/s x channels", "steps", "minutes", "diffusion loss, dev", *METRICS]
    lines = [f"| {' | '.join(head)} | utterances |", "|---" * (len(head) + 1) + "|"]

    def add(speech: str, facts: Sequence[str], report: EvalReport) -> None:
        cells = [speech, *facts, *(cell(report, name) for name in METRICS)]
        lines.append(f"| {' | '.join(cells)} | {len(report.items)} |")

    unknown = ["-"] * 3
    reports: dict[str, EvalReport] = {}
    for name in names:
        folder = exp_dir / name
        values = json.loads((folder / "scores" / "scores.json").read_text("utf-8"))
        reports = {kind: EvalReport.from_dict(value) for kind, value in values.items()}
        codec = load_codec_module(folder / "model" / "codec").config
        state = training_state(folder / "tts")
        size = f"{codec.frame_rate:g} x {codec.latent_dim}"
        loss = f"{last_validation(folder / 'tts'):.3f}"
        facts = [size, str(state.step), f"{state.seconds / 60:.0f}", loss]
        add(f"{name}, spoken", facts, reports["synthesis"])
        add(f"{name}, the codec's copies", [size, *unknown], reports["codec copies"])
    add("recordings", ["-", *unknown], reports["recordings"])
    return lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp_dir", type=Path, required=True, help="folder of run_rates.sh")
    parser.add_argument("--names", nargs="+", required=True, help="runs, in the table's order")
    parser.add_argument("--results", type=Path, required=True, help="RESULTS.md to write into")
    parser.add_argument("--command", default="", help="that made the runs")
    arguments = parser.parse_args()
    text = [
        "## Latent rates and layouts",
        "",
        *provenance_lines(arguments.command, []),
        "",
        "The same small voice, from random weights, on one codec: its frames are latents one by",
        "one, or several side by side. Copies are the same at every rate but for where frames",
        "begin, so what differs is the language model's. It has far fewer steps than what ships:",
        "read how far the rates are from each other. A run named after a layout has that one, the",
        "others `aligned`; losses of two layouts are not of one scale.",
        "",
        *rows(arguments.exp_dir, arguments.names),
    ]
    write_section(arguments.results, SECTION, "\n".join(text))
    print(f"{arguments.results}: section written")


if __name__ == "__main__":
    run_recipe(main)
