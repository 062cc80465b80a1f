"""The contract of all generators of images: LatentLM, DiT and the heads of the study.

A generator learns from `ImageBatch`es and draws latents for classes. Each image has its own random
generator, so that its latents do not depend on the images drawn beside it (up to rounding).

B images, N latents of an image, D latent size.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.errors import ConfigError
from latentspeech.core.latents.normalizer import LatentNormalizer
from latentspeech.core.tensors import check_shape
from latentspeech.core.train.task import Unit
from latentvision.generation.space import ImageBatch, ImageSpace

Advance = Callable[[int, int], None]  # called with (parts done, parts of all)


class ImageSampling(LatentSampling):
    """How images are drawn. A generator refuses settings that it has no use for."""

    num_steps: int = Field(20, ge=1, description="solver steps of a diffusion head or of DiT")
    temperature: float = Field(
        1.0, ge=0, description="givt: factor of the deviations; vq: divides the logits, 0 is greedy"
    )
    top_p: float = Field(1.0, gt=0, le=1, description="vq: probability mass of codes kept")
    num_rounds: int = Field(64, ge=1, description="mar: passes in which the latents are drawn")
    num_candidates: int = Field(
        64, ge=1, description="givt: draws of a latent from which guidance chooses one"
    )


class ImageGenerator(nn.Module, ABC):
    """Learns p(latents | class) and draws from it."""

    uses: ClassVar[frozenset[str]]  # names of the fields of ImageSampling that `draw` reads

    def __init__(self, space: ImageSpace) -> None:
        super().__init__()
        self.space = space

    @property
    @abstractmethod
    def normalizer(self) -> LatentNormalizer:
        """The scale of latents inside the model."""

    @abstractmethod
    def loss(self, batch: ImageBatch, generator: torch.Generator) -> Tensor:
        """The objective, a mean over the images of the batch -> ()."""

    @abstractmethod
    def draw(
        self,
        labels: Tensor,
        generators: Sequence[torch.Generator],
        sampling: ImageSampling,
        advance: Advance,
    ) -> Tensor:
        """What `sample` does, after its checks."""

    @abstractmethod
    def units(self) -> list[Unit]:
        """The blocks that can be sharded, recomputed or compiled by themselves."""

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return next(self.parameters()).device

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Stores the mean and deviation (D,) of the training latents, which scale them."""
        for name, tensor in (("mean", mean), ("std", std)):
            check_shape(name, tensor, self.space.latent_dim)
        self.normalizer.mean.copy_(mean)
        self.normalizer.std.copy_(std)

    @torch.inference_mode()
    def sample(
        self,
        labels: Tensor,
        generators: Sequence[torch.Generator],
        sampling: ImageSampling,
        advance: Advance = lambda done, of_all: None,
    ) -> Tensor:
        """Draws an image of each class.

        Args:
            labels: (B,) classes; the null class draws an image of any.
            generators: one an image, on the CPU; the only source of randomness.
            sampling: solver, guidance and what else this generator uses.
            advance: is told how much of the work is done.

        Returns:
            (B, N, D) raw latents, float32, as the tokenizer decodes them; codes (B, N, 1) for VQ.

        Raises:
            ConfigError: a label is out of range, or a setting has no effect on this generator.
        """
        self._check(labels, generators, sampling)
        labels = labels.to(self.device)
        return self.draw(labels, generators, sampling, advance)

    def check_batch(self, batch: ImageBatch) -> None:
        """Raises ValueError unless the batch has images of this space."""
        check_shape("latents", batch.latents, "B", self.space.num_latents, self.space.latent_dim)
        check_shape("labels", batch.labels, len(batch.latents))

    def without_class(self, labels: Tensor) -> Tensor:
        """The null class, once for each of the labels (B,)."""
        return torch.full_like(labels, self.space.null_class)

    def _check(
        self, labels: Tensor, generators: Sequence[torch.Generator], sampling: ImageSampling
    ) -> None:
        check_shape("labels", labels, len(generators))
        null = self.space.null_class
        if bool(((labels < 0) | (labels > null)).any()):
            raise ConfigError(
                f"labels {labels.tolist()}; expected 0 to {null - 1}, or {null} for no class"
            )
        for name, field in ImageSampling.model_fields.items():
            if name not in self.uses and getattr(sampling, name) != field.default:
                raise ConfigError(
                    f"{name} = {getattr(sampling, name)} has no effect on a model of kind "
                    f"{type(self).__name__}; leave it out"
                )


def normal_noise(generators: Sequence[torch.Generator], *shape: int) -> Tensor:
    """Standard normal float32 (B, *shape), each image's from its own generator."""
    return torch.stack([torch.randn(shape, generator=generator) for generator in generators])
