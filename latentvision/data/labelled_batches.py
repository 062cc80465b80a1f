"""Training data of a classifier: batches of square images with their classes.

B images, S image size.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from latentspeech.core.errors import DataError
from latentvision.data.image_batches import ImageBatchConfig, ImageBatches
from latentvision.data.sources.source import ImageSource


class LabelledImages(NamedTuple):
    """Images and the numbers of their classes."""

    images: Tensor  # (B, 3, S, S) in [-1, 1]
    labels: Tensor  # (B,)


class LabelledBatches(ImageBatches):
    """`ImageBatches` whose batches are `LabelledImages`."""

    def __init__(
        self,
        source: ImageSource,
        config: ImageBatchConfig,
        image_size: int,
        seed: int,
        valid: bool = False,
    ) -> None:
        """Raises DataError if the source does not name its classes."""
        super().__init__(source, config, image_size, seed, valid)
        check_classes(source)

    def load(self, items: Sequence[int], seed: int) -> LabelledImages:  # type: ignore[override]
        """Decodes, crops and flips; DataError if a picture is bad or has no class."""
        kept, images = self._load(items, seed)
        labels = [label_of(self._source, index) for index in kept]
        return LabelledImages(images, torch.tensor(labels))


def check_classes(source: ImageSource) -> Sequence[str]:
    """The names of the classes of a source; DataError if it has fewer than two."""
    if len(source.class_names) < 2:
        raise DataError(
            f"{source} names {len(source.class_names)} classes; expected at least 2: a folder for "
            "each class, or a source that names its classes"
        )
    return source.class_names


def label_of(source: ImageSource, index: int) -> int:
    """The class of a picture; DataError if it has none of the source's classes."""
    record, count = source.record(index), len(source.class_names)
    if record.label is None or not 0 <= record.label < count:
        raise DataError(
            f"{source}: {record.id} has the class {record.label}; expected a number below {count}: "
            "correct its label"
        )
    return record.label
