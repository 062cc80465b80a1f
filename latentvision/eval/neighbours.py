"""The training pictures nearest to samples: they show whether a model draws or copies.

Neighbours are found twice, by the features of a network and by pixels, because a copy that is
shifted or recoloured is near in one way only. The training set is read once and never held.
B images, N samples shown, K neighbours, S image size, F features, P pixel values.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional

from latentspeech.core.errors import InputError
from latentspeech.core.tensors import make_generator
from latentvision.eval.features import Features
from latentvision.eval.picture_set import PictureSet
from latentvision.images.transforms import make_grid, to_pixels
from latentvision.images.writing import write_png

# Pixels are compared at no more than this many a side; larger images say no more and cost much.
_COMPARED_SIZE = 32
NUM_SHOWN = 16
NUM_NEIGHBOURS = 4


@dataclass(frozen=True)
class Nearest:
    """The nearest training pictures of each sample, from the nearest on."""

    indices: Tensor  # (N, K) in the training source
    distances: Tensor  # (N, K), Euclidean


@dataclass(frozen=True)
class Neighbours:
    """Samples with their neighbours in both ways."""

    samples: PictureSet
    training: PictureSet
    shown: list[int]  # the samples' places in their source
    by_features: Nearest
    by_pixels: Nearest

    def save(self, path: Path, network: str) -> None:
        """Writes a PNG: a row for each sample, then its neighbours by features and by pixels.

        Args:
            path: a name that ends with .png.
            network: name of the network of the features, for the file's text chunk.
        """
        blank = torch.ones(3, self.samples.image_size, self.samples.image_size)
        cells: list[Tensor] = []
        for row, index in enumerate(self.shown):
            cells.append(self.samples.image(index))
            for nearest in (self.by_features, self.by_pixels):
                cells.append(blank)
                cells += [self.training.image(int(i)) for i in nearest.indices[row]]
        columns = len(cells) // len(self.shown)
        count = self.by_features.indices.shape[1]
        comment = (
            f"samples of {self.samples}; right of each the {count} nearest pictures of "
            f"{self.training}, first by the features of {network}, then by pixels"
        )
        write_png(path, make_grid(torch.stack(cells), columns), {"Comment": comment})

    def to_dict(self, network: str) -> dict[str, object]:
        """Names and distances, for a report."""
        return {
            "training": str(self.training),
            "num_training": len(self.training),
            "network": network,
            "samples": [self.samples.record(index).id for index in self.shown],
            "by_features": self._named(self.by_features),
            "by_pixels": self._named(self.by_pixels),
        }

    def _named(self, nearest: Nearest) -> list[list[dict[str, object]]]:
        return [
            [
                {"id": self.training.record(int(i)).id, "distance": round(float(d), 5)}
                for i, d in zip(row, distances, strict=True)
            ]
            for row, distances in zip(nearest.indices, nearest.distances, strict=True)
        ]


def find_neighbours(
    samples: PictureSet,
    training: PictureSet,
    network: Features,
    num_shown: int = NUM_SHOWN,
    num_neighbours: int = NUM_NEIGHBOURS,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Neighbours:
    """Finds the nearest training pictures of some samples, drawn at random.

    Args:
        samples: the drawn pictures.
        training: the pictures that the model learned from.
        network: gives the features.
        num_shown: number of samples to look at.
        num_neighbours: neighbours of each, in each way.
        seed: decides which samples are looked at.
        progress: is told (training pictures done, all).

    Raises:
        InputError: there are fewer training pictures than neighbours.
        DataError: a picture cannot be read.
    """
    if len(training) < num_neighbours:
        raise InputError(
            f"{training} has {len(training)} pictures; expected at least {num_neighbours}, the "
            "number of neighbours"
        )
    generator = make_generator(seed, "neighbours")
    places = torch.randperm(len(samples), generator=generator)[:num_shown].sort().values
    shown = [samples.indices[place] for place in places.tolist()]
    images = torch.stack([samples.image(index) for index in shown])  # (N, 3, S, S)
    device = next(network.parameters()).device
    ways: list[Callable[[Tensor], Tensor]] = [_ByFeatures(network, device), _by_pixels]
    wanted = [way(images) for way in ways]
    found: list[Nearest | None] = [None] * len(ways)
    done = 0
    for batch in training.batches():
        for number, way in enumerate(ways):
            distances = torch.cdist(wanted[number], way(batch.images))  # (N, B)
            found[number] = _merge(found[number], distances, batch.indices, num_neighbours)
        done += len(batch.indices)
        if progress is not None:
            progress(done, len(training))
    by_features, by_pixels = found
    assert by_features is not None
    assert by_pixels is not None
    return Neighbours(samples, training, shown, by_features, by_pixels)


class _ByFeatures:
    """Images (B, 3, S, S) -> features (B, F) in float64."""

    def __init__(self, network: Features, device: torch.device) -> None:
        self._network, self._device = network, device

    def __call__(self, images: Tensor) -> Tensor:
        return self._network(to_pixels(images).to(self._device)).double().cpu()


def _by_pixels(images: Tensor) -> Tensor:
    """Images (B, 3, S, S) -> pixel values (B, P) in float64."""
    if images.shape[-1] > _COMPARED_SIZE:
        images = functional.interpolate(images, _COMPARED_SIZE, mode="bilinear", antialias=True)
    return images.flatten(1).double()


def _merge(best: Nearest | None, distances: Tensor, indices: list[int], count: int) -> Nearest:
    """The nearest `count` of those so far and of a batch with distances (N, B)."""
    numbers = torch.tensor(indices).expand(len(distances), -1)  # (N, B)
    if best is not None:
        numbers = torch.cat((best.indices, numbers), dim=1)
        distances = torch.cat((best.distances, distances), dim=1)
    found = distances.topk(min(count, distances.shape[1]), largest=False)
    return Nearest(numbers.gather(1, found.indices), found.values)
