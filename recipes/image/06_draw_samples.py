"""Draws as many samples of each class at each guidance scale, by several processes if wanted.

A sample is OUT/cfg_SCALE/CLASS/NUMBER.png. Its noise follows from the seed, its class and its
number, so it depends on no other sample, and a killed run goes on with those that are missing.
`prepare` packs the model and removes samples of another one, `draw` draws those of one rank,
`finish` writes drawn.json once all ranks have ended.
"""

import argparse
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import write_json
from latentspeech.core.tensors import make_generator
from latentvision.generation.model_directory import read_generator_config
from latentvision.generation.painter import Painter
from latentvision.images.writing import write_png
from latentvision.training.pack_generator import pack_generator
from recipes.image.samples import DRAWN, Drawing, scale_folder
from recipes.lib.progress_log import ProgressLog
from recipes.lib.result_folder import open_result_folder


class Sample(NamedTuple):
    """One picture to draw."""

    scale: float
    label: int
    number: int
    path: Path


def all_samples(drawing: Drawing, out: Path) -> Iterator[Sample]:
    """Every sample, scale by scale, with the classes taking turns."""
    for scale in drawing.cfg_scales:
        for number in range(drawing.per_class):
            for label, name in enumerate(drawing.class_names):
                folder = scale_folder(out, scale) / name.replace("/", "_")
                yield Sample(scale, label, number, folder / f"{number:05d}.png")


def draw(painter: Painter, batch: Sequence[Sample], seed: int) -> None:
    """Draws a batch of one scale and writes its files."""
    sampling = painter.sampling(cfg_scale=batch[0].scale)
    generators = [make_generator(seed, f"sample/{s.label}", s.number) for s in batch]
    labels = torch.tensor([sample.label for sample in batch])
    latents = painter.model.generator.sample(labels, generators, sampling)
    with torch.inference_mode():
        images = painter.decode(latents).cpu()
    for sample, image in zip(batch, images, strict=True):
        sample.path.parent.mkdir(parents=True, exist_ok=True)
        comment = f"class {sample.label}, cfg_scale {sample.scale:g}, seed {seed}"
        write_png(sample.path, image, {"Comment": comment})


def draw_share(
    painter: Painter, drawing: Drawing, out: Path, batch_size: int, rank: int, world_size: int
) -> None:
    """Draws the samples of this rank that are missing."""
    progress = ProgressLog(f"samples, process {rank}", "pictures")
    for scale in drawing.cfg_scales:
        at_scale = Drawing(**{**drawing.model_dump(), "cfg_scales": (scale,)})
        own = [*all_samples(at_scale, out)][rank::world_size]
        missing = [sample for sample in own if not sample.path.exists()]
        done = len(own) - len(missing)
        for start in range(0, len(missing), batch_size):
            batch = missing[start : start + batch_size]
            draw(painter, batch, drawing.seed)
            done += len(batch)
            progress(done, len(own))


def finish(drawing: Drawing, out: Path) -> None:
    """Writes drawn.json; DataError if a sample is missing."""
    for sample in all_samples(drawing, out):
        if not sample.path.is_file():
            raise DataError(f"{sample.path} is missing; run the stage again to draw it")
    write_json(out / DRAWN, drawing.model_dump(mode="json"))


def model_hash(model: Path) -> str:
    """A hash of the weights and the configuration."""
    digest = hashlib.sha256()
    for name in ("config.yaml", "model.safetensors"):
        digest.update((model / name).read_bytes())
    return digest.hexdigest()[:16]


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the training")
    parser.add_argument("--model", type=Path, required=True, help="model directory to write")
    parser.add_argument("--out", type=Path, required=True, help="folder of the samples")
    parser.add_argument("--cfg_scales", required=True, help="numbers, with spaces")
    parser.add_argument("--per_class", type=int, required=True)
    parser.add_argument("--batch_size", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("actions", nargs="+", choices=["prepare", "draw", "finish"])
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world_size", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    a = parser.parse_args()
    if "prepare" in a.actions:
        pack_generator(a.run, a.model)
    drawing = Drawing(
        cfg_scales=tuple(float(scale) for scale in a.cfg_scales.split()),
        per_class=a.per_class,
        seed=a.seed,
        class_names=read_generator_config(a.model).class_names,
        model_hash=model_hash(a.model),
    )
    if "prepare" in a.actions:
        open_result_folder(a.out, {"model": drawing.model_hash, "seed": drawing.seed})
    if "draw" in a.actions:
        painter = Painter.from_directory(a.model, a.device)
        draw_share(painter, drawing, a.out, a.batch_size, a.rank, a.world_size)
    if "finish" in a.actions:
        finish(drawing, a.out)


if __name__ == "__main__":
    run_recipe(main)
