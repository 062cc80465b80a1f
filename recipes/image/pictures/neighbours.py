"""Shows samples beside the training pictures that are nearest to them: it draws, and does not copy.

Nearest in pixels, by the root of the mean squared difference, among the pictures of the sample's
class; mirror images count too, because the model is trained on both.

B images, S image size.
"""

import argparse
import heapq
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from latentspeech.core.command import run_recipe
from latentspeech.core.files import write_json
from latentspeech.core.tensors import make_generator
from latentvision.data.sources.config import SourceConfig, open_source
from latentvision.generation.painter import Painter
from latentvision.images.transforms import center_crop, flip, make_grid, to_tensor
from latentvision.images.writing import write_png
from recipes.image.source_option import parse_source

_BATCH = 500
_LEVELS = 127.5  # of 255, for differences of pixels in [-1, 1]


class Neighbour(NamedTuple):
    """A training picture near a sample."""

    distance: float  # root of the mean squared difference, of 255 levels
    id: str
    image: Tensor  # (3, S, S), mirrored if that is nearer


def nearest(
    queries: Tensor, labels: Tensor, source_config: SourceConfig, count: int
) -> list[list[Neighbour]]:
    """The `count` nearest pictures of the same class to each of the images (B, 3, S, S)."""
    source = open_source(source_config)
    size, flat = queries.shape[-1], queries.clamp(-1, 1).flatten(1)
    found: list[list[tuple[float, int, bool]]] = [[] for _ in queries]
    wanted = set(labels.tolist())
    indices = [
        index
        for number in range(source.num_shards)
        for index in source.shard(number)
        if source.record(index).label in wanted
    ]

    def image(index: int, mirrored: bool) -> Tensor:
        picture = to_tensor(center_crop(source.picture(index), size))
        return flip(picture) if mirrored else picture

    for start in range(0, len(indices), _BATCH):
        batch = indices[start : start + _BATCH]
        images = torch.stack([image(index, False) for index in batch])
        classes = torch.tensor([source.record(index).label for index in batch])
        others = labels[:, None] != classes  # (B, batch)
        for mirrored in (False, True):
            real = (flip(images) if mirrored else images).flatten(1)
            distances = torch.cdist(flat, real) / flat.shape[1] ** 0.5 * _LEVELS  # (B, batch)
            distances[others] = torch.inf
            for row, of_query in zip(found, distances.tolist(), strict=True):
                pairs = zip(of_query, batch, strict=True)
                row[:] = heapq.nsmallest(
                    count, [*row, *((far, index, mirrored) for far, index in pairs)]
                )
    return [
        [Neighbour(far, source.record(i).id, image(i, mirrored)) for far, i, mirrored in row]
        for row in found
    ]


def draw_queries(painter: Painter, labels: Tensor, seed: int) -> Tensor:
    """A sample of each of the classes (B,) -> images (B, 3, S, S)."""
    generators = [make_generator(seed, "neighbours", place) for place in range(len(labels))]
    latents = painter.model.generator.sample(labels, generators, painter.sampling())
    with torch.inference_mode():
        return painter.decode(latents).cpu()


def show_neighbours(
    painter: Painter, source: SourceConfig, out: Path, seed: int, num: int = 16, count: int = 5
) -> None:
    """Writes a row for each sample: the sample, then its neighbours; their ids go into a .json."""
    labels = torch.arange(num) % len(painter.class_names)
    samples = draw_queries(painter, labels, seed)
    neighbours = nearest(samples, labels, source, count)
    rows = [
        torch.stack([sample, *(one.image for one in row)])
        for sample, row in zip(samples, neighbours, strict=True)
    ]
    comment = "first of each row: a sample; then the nearest training pictures of its class"
    write_png(out, make_grid(torch.cat(rows), 1 + count), {"Comment": comment})
    lists = [[{"id": one.id, "rms_levels": one.distance} for one in row] for row in neighbours]
    write_json(out.with_suffix(".json"), lists)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--source", type=parse_source, required=True, help="training pictures")
    parser.add_argument("--num", type=int, default=16, help="samples")
    parser.add_argument("--count", type=int, default=5, help="neighbours of each")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True, help="PNG file; .json goes beside it")
    a = parser.parse_args()
    painter = Painter.from_directory(a.model)
    show_neighbours(painter, a.source, a.out, a.seed, a.num, a.count)


if __name__ == "__main__":
    run_recipe(main)
