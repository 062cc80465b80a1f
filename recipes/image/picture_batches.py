"""Pictures of a source as batches of square images, for scores."""

from collections.abc import Iterator

import torch
from torch import Tensor

from latentvision.data.sources.source import ImageSource
from latentvision.images.transforms import center_crop, to_tensor

_BATCH = 50


def picture_batches(source: ImageSource, size: int, limit: int = 0) -> Iterator[Tensor]:
    """Batches (B, 3, size, size) in [-1, 1], of all pictures or of `limit` spread over them."""
    indices = [i for number in range(source.num_shards) for i in source.shard(number)]
    step = max(1, len(indices) // limit) if limit else 1
    chosen = indices[::step][: limit or None]
    for start in range(0, len(chosen), _BATCH):
        batch = chosen[start : start + _BATCH]
        yield torch.stack([to_tensor(center_crop(source.picture(i), size)) for i in batch])
