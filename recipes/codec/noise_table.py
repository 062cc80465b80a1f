"""Puts the runs of egs/mini/local/run_noise.sh into a results file: one model, several noises.

A run's folder holds codec/ (training of the codec), codec_check/ (its copies) and scores/ (what the
language model on it spoke, and the codec's copies of the same sentences).
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from latentspeech.core.errors import DataError
from latentspeech.core.eval.report import EvalReport
from latentspeech.training.codec_run import CodecRunConfig
from recipes.lib.results_file import provenance_lines, write_section

SECTION = "noise of the codec"
COPIES = ("mel-dac-class", "stoi")
SPEECH = ("wer-w", "sim-ge2e-o", "dnsmos")


def last_log_ratio(run: Path) -> float:
    """log(std(mu) / E|sigma|) of the last validation; DataError if there was none."""
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text("utf-8").splitlines()]
    key = "valid/log_std_mu_over_sigma"
    found = [float(row[key]) for row in rows if key in row]
    if not found:
        raise DataError(f"{run}/metrics.jsonl has no {key}; expected a finished training")
    return found[-1]


def cell(report: EvalReport, key: str) -> str:
    """A metric's value with its 95% interval over utterances; a dash if it was not measured."""
    for metric in report.metrics:
        if metric.key == key and metric.value is not None and metric.interval is not None:
            low, high = metric.interval
            return f"{metric.value:.3f} ({low:.3f} to {high:.3f})"
    return "-"


def table(exp_dir: Path, names: Sequence[str]) -> list[str]:
    """Two rows for each run: what was spoken, and the codec's copies of the same sentences."""
    head = ["run", "E\\|sigma\\|", "log std(mu)/E\\|sigma\\|", "speech", *COPIES, *SPEECH]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name in names:
        folder = exp_dir / name
        posterior = load_config(CodecRunConfig, folder / "codec/config.yaml").codec.posterior
        ratio = last_log_ratio(folder / "codec")
        facts = [name, f"{posterior.mean_abs_sigma:.3f}", f"{ratio:.2f}"]
        check = EvalReport.read(folder / "codec_check/scores.json")
        values = json.loads((folder / "scores/scores.json").read_text("utf-8"))
        for kind, copies in (("synthesis", None), ("codec copies", check)):
            report = EvalReport.from_dict(values[kind], kind)
            cells = [*facts, kind]
            cells += ["-" if copies is None else cell(copies, key) for key in COPIES]
            cells += [cell(report, key) for key in SPEECH]
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp_dir", type=Path, required=True, help="folder of run_noise.sh")
    parser.add_argument("--names", nargs="+", required=True, help="runs, in the table's order")
    parser.add_argument("--results", type=Path, required=True, help="file to write the table into")
    parser.add_argument("--command", default="", help="command that made the runs")
    arguments = parser.parse_args()
    text = [
        "## Noise of the codec",
        "",
        *provenance_lines(arguments.command, []),
        "",
        "The same small language model, from random weights, on codecs that differ in the noise",
        "of their latents alone. std(mu) was held, so a larger E|sigma| is a larger part of it.",
        "",
        *table(arguments.exp_dir, arguments.names),
    ]
    write_section(arguments.results, SECTION, "\n".join(text))
    print(f"{arguments.results}: section written")


if __name__ == "__main__":
    run_recipe(main)
