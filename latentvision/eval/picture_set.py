"""A set of pictures to score: square images of one size from any source, with their names.

B images, S image size.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from latentspeech.core.errors import DataError, InputError
from latentvision.data.sources.source import ImageRecord, ImageSource
from latentvision.images.transforms import center_crop, to_tensor

BATCH_SIZE = 32


class Batch(NamedTuple):
    """Some images of a set."""

    indices: list[int]  # of their pictures in the source
    images: Tensor  # (B, 3, S, S) in [-1, 1]


class PictureSet:
    """The first `max_pictures` of a source, or all, as images of `image_size` pixels."""

    def __init__(
        self,
        source: ImageSource,
        image_size: int,
        max_pictures: int | None = None,
        batch_size: int = BATCH_SIZE,
    ) -> None:
        self.source = source
        self.image_size = image_size
        self._batch_size = batch_size
        self.indices: list[int] = []
        for number in range(source.num_shards):
            self.indices += source.shard(number)
            if max_pictures is not None and len(self.indices) >= max_pictures:
                break
        self.indices = self.indices[:max_pictures]

    def __len__(self) -> int:
        return len(self.indices)

    def __str__(self) -> str:
        return str(self.source)

    def record(self, index: int) -> ImageRecord:
        """A picture's name and class."""
        return self.source.record(index)

    def class_of(self, record: ImageRecord) -> str | None:
        """The name of a picture's class, or its number where names are not known."""
        if record.label is None:
            return None
        names = self.source.class_names
        return names[record.label] if record.label < len(names) else str(record.label)

    def image(self, index: int) -> Tensor:
        """One image (3, S, S); DataError if the picture is bad."""
        return to_tensor(center_crop(self.source.picture(index), self.image_size))

    def batches(self, unreadable: dict[int, str] | None = None) -> Iterator[Batch]:
        """All images in order.

        Args:
            unreadable: takes the reasons of bad pictures, by index; None: they raise DataError.
        """
        for start in range(0, len(self.indices), self._batch_size):
            kept, images = [], []
            for index in self.indices[start : start + self._batch_size]:
                try:
                    images.append(self.image(index))
                except DataError as error:
                    if unreadable is None:
                        raise
                    unreadable[index] = str(error)
                    continue
                kept.append(index)
            if kept:
                yield Batch(kept, torch.stack(images))


def size_of_first(source: ImageSource) -> int:
    """The shorter side of the first picture of a source that can be read.

    Raises:
        InputError: none of the first pictures can be read.
    """
    first = list(source.shard(0))[:BATCH_SIZE]
    reason: Sequence[object] = ()
    for index in first:
        try:
            return min(source.picture(index).size)
        except DataError as error:
            reason = reason or (error,)
    raise InputError(
        f"none of the first {len(first)} pictures of {source} can be read "
        f"({' '.join(map(str, reason))}); expected whole pictures: make them again"
    )
