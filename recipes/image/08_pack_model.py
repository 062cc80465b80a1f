"""Packs the model with its best guidance scale and a card of its scores, and writes RESULTS.md.

Also draws a gallery, and samples beside the training pictures that are nearest to them.
"""

import argparse
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.train.engine import CONFIG_NAME
from latentspeech.core.train.state.averaged_weights import training_state
from latentvision.generation.model_directory import read_generator_config
from latentvision.generation.painter import Painter
from latentvision.training.generator_run import GeneratorRunConfig
from latentvision.training.pack_generator import pack_generator
from recipes.image.card import Made, card, read_sweep, scores_of_scale, table_of_scales
from recipes.image.pictures.gallery import draw_gallery
from recipes.image.pictures.neighbours import show_neighbours
from recipes.image.source_option import parse_source
from recipes.lib.results_file import read_table, write_results


def pack(exp_dir: Path, data_dir: Path, data: str, command: str) -> None:
    """Writes EXP_DIR/model and EXP_DIR/RESULTS.md."""
    run = load_config(GeneratorRunConfig, exp_dir / "generator" / CONFIG_NAME)
    tokenizer = training_state(data_dir / "tokenizer")
    generator = training_state(exp_dir / "generator")
    sweep = read_sweep(exp_dir / "scores")
    sampling = run.sampling
    if sweep.best_cfg_scale is not None:
        sampling = sampling.model_copy(update={"cfg_scale": sweep.best_cfg_scale})
    copies = EvalReport.read(data_dir / "tokenizer_check/scores.json")
    made = Made(
        run=run,
        class_names=read_generator_config(exp_dir / "generator_model").class_names,
        sampling=sampling,
        data=data,
        command=command,
        trainings={"tokenizer": tokenizer, run.model.kind: generator},
    )
    scores = scores_of_scale(exp_dir / "scores", sampling.cfg_scale)
    pack_generator(exp_dir / "generator", exp_dir / "model", card(made, copies, scores), sampling)
    runs = [f"training of {name}: {state.step} steps" for name, state in made.trainings.items()]
    tables = [
        "## Samples",
        table_of_scales(sweep),
        "## Copies by the tokenizer",
        read_table(data_dir / "tokenizer_check/scores.md"),
    ]
    pictures = [
        exp_dir / "gallery.png",
        exp_dir / "neighbours.png",
        data_dir / "tokenizer_check/copies.png",
        exp_dir / "scores/sweep.png",
        data_dir / "tokenizer_curves.png",
        exp_dir / "generator_curves.png",
    ]
    write_results(exp_dir / "RESULTS.md", command, runs, "\n\n".join(tables), pictures)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp_dir", type=Path, required=True, help="generator, samples, scores")
    parser.add_argument("--data_dir", type=Path, required=True, help="tokenizer and latents")
    parser.add_argument("--data", required=True, help="where the pictures come from, and licence")
    parser.add_argument("--command", required=True, help="what was typed to run the recipe")
    parser.add_argument("--source", type=parse_source, required=True, help="training pictures")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    pack(arguments.exp_dir, arguments.data_dir, arguments.data, arguments.command)
    painter = Painter.from_directory(arguments.exp_dir / "model")
    draw_gallery(painter, arguments.exp_dir / "gallery.png", arguments.seed)
    show_neighbours(painter, arguments.source, arguments.exp_dir / "neighbours.png", arguments.seed)


if __name__ == "__main__":
    run_recipe(main)
