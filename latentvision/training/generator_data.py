"""Batches for all generators: sampled latents with their classes, from shards (paper 5.1, H.3).

The models train on z = mu + |sigma| eps, drawn anew each time. Some classes are hidden behind the
null class, which teaches the model to draw without a class, as guidance needs it. With a quantizer
the latents in the shards are vectors of its codebook, and a batch holds their codes.

B images, N latents of an image, D latent size.
"""

import logging
from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.data.file_store import LocalCacheConfig
from latentspeech.core.data.latent_format import LatentItem
from latentspeech.core.data.latent_shards import DamagedShardError, LatentShards
from latentspeech.core.data.windows import num_windows, shards_of_window
from latentspeech.core.errors import DataError
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.latents.sigma_vae import sample_posteriors
from latentspeech.core.tensors import make_generator
from latentvision.generation.space import ImageBatch, ImageSpace
from latentvision.tokenizer.vector_quantizer import VectorQuantizer

logger = logging.getLogger(__name__)


class GeneratorDataConfig(Config):
    """Sizes of a batch, and how the shards are read."""

    batch_size: int = Field(256, ge=1, description="images in a batch of one process")
    class_dropout: float = Field(
        0.1, ge=0, le=1, description="share of the images whose class training hides"
    )
    window_shards: int = Field(64, ge=1, description="number of shards that are shuffled together")
    skip_bad: bool = Field(False, description="leave damaged shards out, with a warning")
    cache: LocalCacheConfig = Field(
        LocalCacheConfig(), description="local copies of shards that are read from a URL"
    )


class GeneratorData:
    """The training protocol (`num_windows`, `plan`, `load`) over shards of image latents."""

    def __init__(
        self,
        shards: LatentShards,
        space: ImageSpace,
        config: GeneratorDataConfig,
        seed: int,
        class_dropout: float,
        quantizer: VectorQuantizer | None = None,
    ) -> None:
        """Args: `class_dropout` is 0 for validation, where every class is shown."""
        self.shards = shards
        self.space = space
        self.config = config
        self.seed = seed
        self.class_dropout = class_dropout
        self.quantizer = quantizer
        meta = shards.meta
        self.posterior = SigmaVAEConfig(kind=meta.posterior_kind, sigma_std=meta.sigma_std)

    def num_windows(self) -> int:
        """The number of windows of an epoch."""
        return num_windows(len(self.shards.shards), self.config.window_shards)

    def plan(self, epoch: int, window: int) -> list[list[int]]:
        """The images of a window in random order, `batch_size` in all batches but the last."""
        shards = self.shards.shards
        indices = [
            index
            for shard in shards_of_window(
                shards, self.config.window_shards, self.seed, epoch, window
            )
            for index, item in enumerate(
                self.shards.items(shard), start=shard * self.shards.meta.shard_size
            )
            if item.num_latents
        ]
        generator = make_generator(self.seed, f"images/{epoch}", window)
        order = torch.randperm(len(indices), generator=generator)
        if not indices:
            return []
        return [
            [indices[place] for place in part.tolist()]
            for part in torch.split(order, self.config.batch_size)
        ]

    def load(self, items: Sequence[int], seed: int) -> ImageBatch:
        """Loads a batch; `seed` decides the noise of the latents and which classes are hidden."""
        generator = make_generator(seed, "images")
        labels: list[int] = []
        means: list[Tensor] = []
        for index in items:
            try:
                means.append(self.shards.load(index))
                labels.append(self._label(self.shards.item(index)))
            except DamagedShardError as error:
                if not self.config.skip_bad:
                    raise
                logger.warning("an image is left out of its batch: %s", error)
        if not means:
            raise DataError(f"{self.shards}: none of the {len(items)} images can be read")
        hidden = torch.rand(len(labels), generator=generator) < self.class_dropout
        shown = torch.tensor(labels).masked_fill(hidden, self.space.null_class)  # (B,)
        latents = torch.stack(sample_posteriors(self.posterior, means, generator))  # (B, N, D)
        if self.quantizer is not None:
            latents = self.quantizer.codes(latents)[..., None].float()  # (B, N, 1)
        return ImageBatch(latents, shown)

    def _label(self, item: LatentItem) -> int:
        label = item.extras.get("label")
        if not isinstance(label, int) or not 0 <= label < self.space.num_classes:
            raise DataError(
                f"{self.shards}: item {item.id} has the label {label!r}; expected a class number "
                f"below {self.space.num_classes}: extract the latents again"
            )
        return label


def one_scale(mean: Tensor, std: Tensor) -> tuple[Tensor, Tensor]:
    """One mean and one deviation over all channels, from those of each (D,) -> (D,) each.

    The public image code scales latents by one number, so that the proportions of the channels
    stay.
    """
    overall = mean.mean()
    variance = std.square().mean() + (mean - overall).square().mean()
    return overall.expand_as(mean).clone(), variance.sqrt().expand_as(std).clone()
