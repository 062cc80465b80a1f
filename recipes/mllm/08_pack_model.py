"""Packs the model with its best guidance scale and a card of its scores, and writes RESULTS.md."""

import argparse
from pathlib import Path

import torch

from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.train.engine import CONFIG_NAME
from latentspeech.core.train.state.averaged_weights import Provenance, training_state
from latentvision.images.reading import read_picture
from latentvision.images.transforms import make_grid, to_tensor
from latentvision.images.writing import write_png
from latentvision.training.mllm_run import PageRunConfig
from latentvision.training.pack_mllm import pack_page_model
from recipes.image.card import Sweep, read_sweep, table_of_scales
from recipes.lib.results_file import read_table, write_results
from recipes.mllm.card import Made, card
from recipes.mllm.samples import read_drawing, sample_path

_COLUMNS, _MOST = 8, 32


def draw_gallery(samples: Path, sweep: Sweep, out: Path) -> None:
    """The first samples at the best scale, with their captions in the file."""
    drawing = read_drawing(samples)
    scale = sweep.best_cfg_scale
    shown = drawing.cfg_scales[0] if scale is None else scale
    numbers = range(min(_MOST, len(drawing.captions)))
    images = [to_tensor(read_picture(sample_path(samples, shown, n))) for n in numbers]
    names = "; ".join(drawing.captions[number] for number in numbers)
    comment = f"captions kept aside, cfg_scale {shown:g}, seed {drawing.seed}: {names}"
    write_png(out, make_grid(torch.stack(images), _COLUMNS), {"Comment": comment})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp_dir", type=Path, required=True, help="training, samples, scores")
    parser.add_argument("--data_dir", type=Path, required=True, help="tokenizers")
    parser.add_argument("--data", required=True, help="where the pages come from, and licences")
    parser.add_argument("--command", required=True, help="what was typed to run the recipe")
    a = parser.parse_args()
    run = load_config(PageRunConfig, a.exp_dir / "pages" / CONFIG_NAME)
    sweep, sampling = read_sweep(a.exp_dir / "scores"), run.sampling
    if sweep.best_cfg_scale is not None:
        sampling = sampling.model_copy(update={"cfg_scale": sweep.best_cfg_scale})
    trainings = [
        Provenance(name, training_state(folder)).line()
        for name, folder in (
            ("image tokenizer", a.data_dir / "tokenizer"),
            (run.model.kind, a.exp_dir / "pages"),
        )
    ]
    made = Made(run.model.kind, sampling, a.data, a.command, trainings)
    scores = EvalReport.read(a.exp_dir / "scores/pages.json")
    pack_page_model(a.exp_dir / "pages", a.exp_dir / "model", card(made, scores, sweep), sampling)
    draw_gallery(a.exp_dir / "samples", sweep, a.exp_dir / "gallery.png")
    tables = [
        "## Pages kept aside",
        read_table(a.exp_dir / "scores/pages.md"),
        "## Samples of captions kept aside",
        table_of_scales(sweep),
        "## Copies by the image tokenizer",
        read_table(a.data_dir / "tokenizer_check/scores.md"),
    ]
    curves = [
        a.exp_dir / "gallery.png",
        a.exp_dir / "curves.png",
        a.data_dir / "tokenizer_curves.png",
    ]
    write_results(a.exp_dir / "RESULTS.md", a.command, trainings, "\n\n".join(tables), curves)


if __name__ == "__main__":
    run_recipe(main)
