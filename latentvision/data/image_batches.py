"""Training data of a tokenizer: batches of square images, planned a window of shards at a time.

A picture is cropped as ADM does it and flipped at random. An epoch shows every picture once.
B images, S image size.
"""

import logging
from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.data.windows import num_windows, shards_of_window
from latentspeech.core.errors import DataError
from latentspeech.core.tensors import make_generator
from latentvision.data.sources.source import ImageSource
from latentvision.images.transforms import center_crop, flip, to_tensor

logger = logging.getLogger(__name__)


class ImageBatchConfig(Config):
    """How pictures become batches."""

    batch_size: int = Field(256, ge=1, description="most images of a batch")
    window_shards: int = Field(64, ge=1, description="shards that are shuffled together")
    flip_probability: float = Field(0.5, ge=0, le=1, description="of a mirror image")
    skip_bad: bool = Field(False, description="leave unreadable pictures out, with a warning")
    max_valid: int = Field(1000, ge=1, description="images of validation, the first of the source")


class ImageBatches:
    """Implements `plan` and `load` of training data; a batch is images (B, 3, S, S) in [-1, 1].

    With `valid` there is one window, in the source's order, and nothing is flipped.
    """

    def __init__(
        self,
        source: ImageSource,
        config: ImageBatchConfig,
        image_size: int,
        seed: int,
        valid: bool = False,
    ) -> None:
        self._source = source
        self._config = config
        self._image_size = image_size
        self._seed = seed
        self._valid = valid
        self._window_shards = min(config.window_shards, source.max_window_shards)

    def __str__(self) -> str:
        return str(self._source)

    def num_windows(self) -> int:
        """Windows of an epoch."""
        return 1 if self._valid else num_windows(self._source.num_shards, self._window_shards)

    def plan(self, epoch: int, window: int) -> Sequence[Sequence[int]]:
        """The batches of a window; their sizes differ by at most one."""
        if self._valid:
            indices = torch.tensor(self._first_indices(), dtype=torch.long)
        else:
            numbers = shards_of_window(
                range(self._source.num_shards), self._window_shards, self._seed, epoch, window
            )
            shards = [
                torch.tensor(self._source.shard(number), dtype=torch.long) for number in numbers
            ]
            indices = torch.cat(shards)
            generator = make_generator(self._seed, f"images/{epoch}", window)
            indices = indices[torch.randperm(len(indices), generator=generator)]
        count = -(-len(indices) // self._config.batch_size)
        return [part.tolist() for part in indices.tensor_split(count)] if count else []

    def load(self, items: Sequence[int], seed: int) -> Tensor:
        """Decodes, crops and flips; DataError if a picture is bad, with `skip_bad` if all are."""
        return self._load(items, seed)[1]

    def _load(self, items: Sequence[int], seed: int) -> tuple[list[int], Tensor]:
        """The items that could be read, and their images (B, 3, S, S)."""
        kept, images = [], []
        for index in items:
            try:
                picture = center_crop(self._source.picture(index), self._image_size)
            except DataError as error:
                if not self._config.skip_bad:
                    raise
                logger.warning("left out: %s", error)
                continue
            kept.append(index)
            images.append(to_tensor(picture))
        if not images:
            raise DataError(
                f"none of the {len(items)} pictures of a batch of {self._source} can be read; see "
                "that the disk with the pictures is there, then run the same command again"
            )
        batch = torch.stack(images)
        if self._valid:
            return kept, batch
        draws = torch.rand(len(batch), generator=make_generator(seed, "flip"))
        mirrored = draws < self._config.flip_probability
        return kept, torch.where(mirrored[:, None, None, None], flip(batch), batch)

    def _first_indices(self) -> list[int]:
        found: list[int] = []
        for number in range(self._source.num_shards):
            found += self._source.shard(number)
            if len(found) >= self._config.max_valid:
                break
        return found[: self._config.max_valid]
