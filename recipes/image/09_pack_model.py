"""Packs the model with its best guidance scale and a card of its scores, and writes RESULTS.md.

Also draws a gallery, and shows samples beside the training pictures that are nearest to them.
"""

import argparse
from pathlib import Path

import torch

from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from latentspeech.core.device import choose_device
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.storage.files import write_json
from latentspeech.core.train.engine import CONFIG_NAME
from latentspeech.core.train.state.averaged_weights import training_state
from latentvision.data.sources.config import FolderConfig, SourceConfig, open_source
from latentvision.eval.features import FeatureKind, load_features
from latentvision.eval.neighbours import find_neighbours
from latentvision.eval.picture_set import PictureSet, size_of_first
from latentvision.generation.generator import ImageSampling
from latentvision.generation.model_directory import read_generator_config
from latentvision.generation.painter import Painter
from latentvision.training.generator_run import GeneratorRunConfig
from latentvision.training.pack_generator import pack_generator
from recipes.image.card import Made, card, read_sweep, scores_of_scale, table_of_scales
from recipes.image.pictures.gallery import draw_gallery
from recipes.image.samples import read_drawing, scale_folder
from recipes.image.source_option import parse_source
from recipes.lib.progress_log import ProgressLog
from recipes.lib.results_file import read_table, write_results


def pack(exp_dir: Path, data_dir: Path, data: str, command: str) -> ImageSampling:
    """Writes EXP_DIR/model and EXP_DIR/RESULTS.md; returns the model's sampling settings."""
    run = load_config(GeneratorRunConfig, exp_dir / "generator" / CONFIG_NAME)
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
        trainings={
            "tokenizer": training_state(data_dir / "tokenizer"),
            run.model.kind: training_state(exp_dir / "generator"),
        },
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
    return sampling


def show_neighbours(
    samples: Path,
    source: SourceConfig,
    classifier: Path,
    out: Path,
    seed: int,
    device: torch.device,
) -> None:
    """Writes a picture of 16 of the samples with their neighbours; their names go into a .json."""
    kind: FeatureKind = "classifier" if classifier.is_dir() else "efficientnet"
    drawn = open_source(FolderConfig(path=samples))
    size = size_of_first(drawn)
    found = find_neighbours(
        PictureSet(drawn, size),
        PictureSet(open_source(source), size),
        load_features(kind, classifier).to(device),
        seed=seed,
        progress=ProgressLog("training pictures compared", "pictures"),
    )
    found.save(out, kind)
    write_json(out.with_suffix(".json"), found.to_dict(kind))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp_dir", type=Path, required=True, help="generator, samples, scores")
    parser.add_argument("--data_dir", type=Path, required=True, help="tokenizer, classifier")
    parser.add_argument("--data", required=True, help="where the pictures come from, and licence")
    parser.add_argument("--command", required=True, help="what was typed to run the recipe")
    parser.add_argument("--source", type=parse_source, required=True, help="training pictures")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto")
    a = parser.parse_args()
    sampling = pack(a.exp_dir, a.data_dir, a.data, a.command)
    draw_gallery(Painter.from_directory(a.exp_dir / "model"), a.exp_dir / "gallery.png", a.seed)
    samples = a.exp_dir / "samples"
    scales = read_drawing(samples).cfg_scales
    shown = sampling.cfg_scale if sampling.cfg_scale in scales else scales[0]
    show_neighbours(
        scale_folder(samples, shown),
        a.source,
        a.data_dir / "classifier/model",
        a.exp_dir / "neighbours.png",
        a.seed,
        choose_device(a.device),
    )


if __name__ == "__main__":
    run_recipe(main)
