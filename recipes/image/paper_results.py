"""RESULTS.md of egs/imagenet: the paper's Tables 1 and 2, and its poster's, with our rows beside.

A row is empty, with the reason, until its experiment is given as the folder of a finished run:
`--table1 DIR`, `--table2 256=DIR 384=DIR`, `--poster lm=DIR dit=DIR`. `--scaling NAME=DIR ...`
adds FID over training and size, `--throughput FILE ...` the images a second of Figure 4, which are
lists of numbers here because the paper shows both as pictures alone. Nothing is estimated.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from latentspeech.core.errors import ConfigError
from latentspeech.core.eval.paper_tables.beside import Cell, OurRow, beside, row_from_report
from latentspeech.core.eval.paper_tables.table import POSTER, PaperTable, load_paper_table
from latentspeech.core.train.engine import CONFIG_NAME
from latentspeech.core.train.state.averaged_weights import training_state
from latentvision.training.generator_run import GeneratorRunConfig
from recipes.image.card import read_sweep, scores_of_scale
from recipes.lib.results_file import this_command, write_results

# The keys of this project's reports that are the paper's metrics.
_KEYS = {"fid": "fid", "is": "inception-score"}
NOTE = (
    "The paper's rows are printed values. A row of this run is empty until its experiment was run: "
    "nothing in it is estimated.\n"
)


def measured(table: PaperTable, exp_dir: Path | None, group: str | None = None) -> dict[str, Cell]:
    """The paper's columns that a finished experiment measured, at its best guidance scale."""
    if exp_dir is None:
        return {}
    scale = read_sweep(exp_dir / "scores").best_cfg_scale
    report = None if scale is None else scores_of_scale(exp_dir / "scores", scale)
    if report is None:
        return {}
    metrics = [
        replace(metric, key=_KEYS[metric.key]) for metric in report.metrics if metric.key in _KEYS
    ]
    kept = replace(report, metrics=metrics)
    return dict(row_from_report(table, "", kept, group=group).cells)


def main_row(table: PaperTable, exp_dir: Path | None) -> OurRow:
    """Table 1's row of LatentLM-L."""
    cells: dict[str, Cell] = {"params": Cell("477M")}
    if exp_dir is not None:
        steps = training_state(exp_dir / "generator").step
        run = load_config(GeneratorRunConfig, exp_dir / "generator" / CONFIG_NAME)
        world = training_state(exp_dir / "generator").world_size
        images = steps * run.data.batch_size * run.train.accumulation * world
        cells["epochs"] = Cell(round(images / 1_281_167))
    return OurRow("LatentLM-L, egs/imagenet", cells | measured(table, exp_dir))


def resolution_rows(table: PaperTable, experiments: Mapping[str, Path]) -> list[OurRow]:
    """Table 2's rows."""
    return [
        OurRow(
            "LatentLM 1.82B, egs/imagenet",
            {"resolution": Cell(int(pixels)), **measured(table, experiments.get(pixels))},
        )
        for pixels in ("256", "384")
    ]


def poster_row(table: PaperTable, experiments: Mapping[str, Path]) -> OurRow:
    """The poster's row of the sigma-VAE, with both models."""
    cells = {"variance": Cell(0.75)}
    for model, group in (("dit", "DiT"), ("lm", "LatentLM")):
        cells |= measured(table, experiments.get(model), group)
    return OurRow("sigma-VAE, egs/imagenet", cells)


def scaling_lines(experiments: Mapping[str, Path]) -> list[str]:
    """Scores at the best scale, by name of the experiment, in Markdown."""
    lines = ["| experiment | steps | best cfg_scale | scores |", "|---|---|---|---|"]
    for name, exp_dir in experiments.items():
        sweep = read_sweep(exp_dir / "scores")
        scale = sweep.best_cfg_scale
        key = "" if scale is None else f"{scale:g}"
        values = ", ".join(f"{n} {v[key]:.4g}" for n, v in sweep.values.items() if key in v)
        steps = training_state(exp_dir / "generator").step
        lines.append(f"| {name} | {steps} | {key or 'none'} | {values or 'not measured'} |")
    return lines


def throughput_lines(files: Sequence[Path]) -> list[str]:
    """How many times as fast as DiT LatentLM draws, by size and batch, in Markdown."""
    lines = ["| hardware | size | LatentLM over DiT |", "|---|---|---|"]
    for path in files:
        found = json.loads(path.read_text(encoding="utf-8"))
        for result in found["results"]:
            ratios = json.dumps(result["ratios"])
            lines.append(f"| {found['hardware']} | {result['size']} | `{ratios}` |")
    return lines


def named_folders(words: Sequence[str], known: Sequence[str] = ()) -> dict[str, Path]:
    """NAME=DIR words as a mapping; ConfigError for another form or an unknown name."""
    pairs = [word.partition("=") for word in words]
    for (name, separator, folder), word in zip(pairs, words, strict=True):
        if not (separator and folder) or (known and name not in known):
            names = " or ".join(known) or "a name"
            raise ConfigError(f"{word!r}: expected NAME=DIR with {names} in the place of NAME")
    return {name: Path(folder) for name, _, folder in pairs}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="RESULTS.md")
    parser.add_argument("--table1", type=Path, help="experiment of --size l")
    parser.add_argument("--table2", nargs="*", default=[], help="256=DIR 384=DIR of --size xl")
    parser.add_argument("--poster", nargs="*", default=[], help="lm=DIR dit=DIR of --size study")
    parser.add_argument("--scaling", nargs="*", default=[], help="NAME=DIR of any experiments")
    parser.add_argument("--throughput", nargs="*", default=[], type=Path, help="files of stage 10")
    a = parser.parse_args()
    first, second, poster = (load_paper_table(number) for number in (1, 2, POSTER))
    tables = [
        beside(first, [main_row(first, a.table1)]),
        beside(second, resolution_rows(second, named_folders(a.table2, ("256", "384")))),
        beside(poster, [poster_row(poster, named_folders(a.poster, ("lm", "dit")))]),
    ]
    parts = [NOTE, *(table.to_markdown() for table in tables)]
    if a.scaling:
        parts += ["## Scaling\n", "\n".join(scaling_lines(named_folders(a.scaling))) + "\n"]
    if a.throughput:
        parts += ["## Throughput (Figure 4)\n", "\n".join(throughput_lines(a.throughput)) + "\n"]
    write_results(a.out, this_command("recipes.image.paper_results"), [], "\n".join(parts), [])


if __name__ == "__main__":
    run_recipe(main)
