"""Draws a gallery: a row of samples for each class, with the model's own settings."""

import argparse
from pathlib import Path

import torch

from latentspeech.core.command import run_recipe
from latentspeech.core.tensors import make_generator
from latentvision.generation.painter import Painter
from latentvision.images.transforms import make_grid
from latentvision.images.writing import write_png


def draw_gallery(
    painter: Painter, out: Path, seed: int, columns: int = 16, max_classes: int = 20
) -> None:
    """Writes the rows of the first `max_classes` classes as one PNG."""
    names = painter.class_names[:max_classes]
    rows = []
    for label in range(len(names)):
        generators = [make_generator(seed, f"gallery/{label}", place) for place in range(columns)]
        labels = torch.full((columns,), label)
        latents = painter.model.generator.sample(labels, generators, painter.sampling())
        with torch.inference_mode():
            rows.append(painter.decode(latents).cpu())
    scale = painter.sampling().cfg_scale
    comment = f"rows: {', '.join(names)}; cfg_scale {scale:g}, seed {seed}"
    write_png(out, make_grid(torch.cat(rows), columns), {"Comment": comment})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--out", type=Path, required=True, help="PNG file")
    parser.add_argument("--columns", type=int, default=16, help="samples of each class")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    painter = Painter.from_directory(arguments.model)
    draw_gallery(painter, arguments.out, arguments.seed, arguments.columns)


if __name__ == "__main__":
    run_recipe(main)
