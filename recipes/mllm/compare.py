"""Models of pages side by side: their scores beside the paper's Table 3, and curves as Figure 6.

    python -m recipes.mllm.compare --out egs/mllm/RESULTS.md vq=egs/mllm/exp/full/vq \\
        latent_lm=egs/mllm/exp/full/latent_lm transfusion=egs/mllm/exp/full/transfusion

Each NAME=DIR is the --exp_dir of a run of the recipe whose stage 7 is done. The paper's rows are
printed values on other data; ours stand in columns of their own.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from latentspeech.core.eval.paper_tables.beside import beside, row_from_report
from latentspeech.core.eval.paper_tables.table import load_paper_table
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.storage.files import atomic_path
from latentspeech.core.train.engine import CONFIG_NAME
from latentspeech.core.train.metric_log import FILE_NAME
from latentspeech.core.train.state.averaged_weights import Provenance, training_state
from latentvision.training.mllm_run import PageRunConfig
from recipes.image.card import read_sweep, table_of_scales
from recipes.image.paper_results import named_folders
from recipes.lib.results_file import this_command, write_results

# What the paper's Figure 6 and text show over training: nats a token.
CURVES = {"valid/text_nats": "text", "valid/described_nats": "picture to text"}
Curve = list[tuple[int, float]]  # elements trained on, value


def curves_of(exp_dir: Path) -> dict[str, Curve]:
    """The validation curves of a run over the elements that it was trained on."""
    run = load_config(PageRunConfig, exp_dir / "pages" / CONFIG_NAME)
    world = training_state(exp_dir / "pages").world_size
    elements = run.data.batch_elements * run.train.accumulation * world
    lines = (exp_dir / "pages" / FILE_NAME).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {
        name: [(row["step"] * elements, row[name]) for row in rows if row.get(name) is not None]
        for name in CURVES
    }


def plot(curves: Mapping[str, Mapping[str, Curve]], out: Path) -> None:
    """A panel for each quantity, a line for each model."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, panels = pyplot.subplots(1, len(CURVES), figsize=(8, 3), layout="constrained")
    for panel, (name, title) in zip(panels, CURVES.items(), strict=True):
        for model, of_model in curves.items():
            if of_model[name]:
                panel.plot(*zip(*of_model[name], strict=True), ".-", label=model)
        panel.set_title(f"{title}, nats a token", fontsize=9)
        panel.set_xlabel("elements", fontsize=8)
        panel.grid(alpha=0.3)
        panel.legend(fontsize=8)
    with atomic_path(out) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
    pyplot.close(figure)


def compare(runs: Mapping[str, Path], out: Path, command: str) -> None:
    """Writes the file, and the curves beside it."""
    table = load_paper_table(3)
    rows = [
        row_from_report(table, name, EvalReport.read(run / "scores/pages.json"))
        for name, run in runs.items()
    ]
    parts = [beside(table, rows).to_markdown(), "## Samples of captions kept aside\n"]
    for name, run in runs.items():
        parts.append(f"{name}:\n\n{table_of_scales(read_sweep(run / 'scores'))}\n")
    curves = out.with_name("curves.png")
    plot({name: curves_of(run) for name, run in runs.items()}, curves)
    trainings = [Provenance(n, training_state(r / "pages")).line() for n, r in runs.items()]
    write_results(out, command, trainings, "\n".join(parts), [curves])


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", help="NAME=DIR")
    parser.add_argument("--out", type=Path, required=True, help="RESULTS.md")
    a = parser.parse_args()
    compare(named_folders(a.runs), a.out, this_command("recipes.mllm.compare"))


if __name__ == "__main__":
    run_recipe(main)
