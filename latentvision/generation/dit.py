"""The DiT twin: the whole image is denoised at once by a bidirectional Transformer (5.1.2, H.1).

Peebles and Xie 2023, arXiv 2212.09748, with the paper's changes: RMSNorm, SwiGLU of 8/3 d and no
biases. Time and class modulate all blocks (six-way AdaLN-Zero), positions are fixed sines and
cosines, and an image has one time. The latents are those of LatentLM, one a position; DiT's learned
variance is left out, and guidance acts on all channels.

B images, N latents of an image, D latent size, d model width.
"""

from collections.abc import Sequence
from functools import partial
from typing import ClassVar, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.diffusion.config import DiffusionConfig, DiffusionLossConfig
from latentspeech.core.diffusion.head import TimeEmbedding
from latentspeech.core.diffusion.process import DiffusionProcess, at_each_time
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.latents.normalizer import LatentNormalizer
from latentspeech.core.nn.modulated_transformer import ModulatedTransformer
from latentspeech.core.nn.sine_positions import grid_positions
from latentspeech.core.tensors import randn
from latentspeech.core.train.task import Unit
from latentvision.generation.backbone import BackboneConfig
from latentvision.generation.fixed_norm import build_normalizer
from latentvision.generation.generator import (
    Advance,
    ImageGenerator,
    ImageSampling,
    normal_noise,
)
from latentvision.generation.space import ImageBatch, ImageSpace

TIME_EMBEDDING_DIM = 256
ONE_DRAW = DiffusionConfig(loss=DiffusionLossConfig(num_noise_draws=1))


class DiTConfig(Config):
    """Sizes of the model, and its diffusion."""

    kind: Literal["dit"] = "dit"
    backbone: BackboneConfig = Field(
        BackboneConfig(ffn_dim=2730), description="the bidirectional Transformer"
    )
    diffusion: DiffusionConfig = Field(ONE_DRAW, description="schedule, target, loss")
    fixed_norm: bool = Field(False, description="latents on a sphere (fixed_norm.py)")

    @model_validator(mode="after")
    def _check(self) -> "DiTConfig":
        draws = self.diffusion.loss.num_noise_draws
        if draws != 1:
            raise ValueError(
                f"diffusion.loss.num_noise_draws is {draws}; expected 1, because each draw of an "
                "image's time needs a pass of the whole network: enlarge the batch instead"
            )
        return self


class DiT(ImageGenerator):
    """Predicts the noise of all latents of an image together."""

    uses: ClassVar[frozenset[str]] = frozenset(LatentSampling.model_fields)
    positions: Tensor  # (N, d)

    def __init__(self, space: ImageSpace, config: DiTConfig) -> None:
        super().__init__(space)
        width = config.backbone.model_dim
        self.process = DiffusionProcess(config.diffusion)
        self._normalizer = build_normalizer(space.latent_dim, config.fixed_norm)
        self.input = nn.Linear(space.latent_dim, width, bias=False)
        self.time = TimeEmbedding(TIME_EMBEDDING_DIM, width)
        self.label_embedding = nn.Embedding(space.null_class + 1, width)
        nn.init.normal_(self.label_embedding.weight, std=0.02)
        self.backbone = ModulatedTransformer(config.backbone.modulated())
        self.output = nn.Linear(width, space.latent_dim, bias=False)
        nn.init.zeros_(self.output.weight)
        positions = grid_positions(space.num_rows, space.num_columns, width)
        self.register_buffer("positions", positions, persistent=False)

    @property
    def normalizer(self) -> LatentNormalizer:
        """The scale of latents inside the model."""
        return self._normalizer

    def units(self) -> list[Unit]:
        """The blocks of the backbone."""
        return [*map(Unit, self.backbone.layers)]

    def forward(self, x_t: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The prediction at x_t (B, N, D), times t (B,) and labels (B,) -> (B, N, D)."""
        condition = self.time(t) + self.label_embedding(labels)  # (B, d)
        x = self.input(x_t.to(self.input.weight.dtype)) + self.positions.to(condition.dtype)
        prediction: Tensor = self.output(self.backbone(x, condition))
        return prediction

    def loss(self, batch: ImageBatch, generator: torch.Generator) -> Tensor:
        """Equation 2 with one time an image, a mean over latents and channels."""
        self.check_batch(batch)
        x0 = self.normalizer.normalize(batch.latents)
        t = self.process.sample_times((len(x0),), generator).to(x0.device)  # (B,)
        noise = randn(tuple(x0.shape), generator, like=x0)
        return self.process.loss(partial(self, labels=batch.labels), x0, noise, t).mean()

    def draw(
        self,
        labels: Tensor,
        generators: Sequence[torch.Generator],
        sampling: ImageSampling,
        advance: Advance,
    ) -> Tensor:
        """Denoises all images together."""
        done = 0

        def network(x_t: Tensor, t: Tensor) -> Tensor:
            nonlocal done
            prediction: Tensor = self(x_t, t, asked)
            done += 1
            advance(done, sampling.num_steps)
            return prediction

        asked = sampling.conditions(labels, self.without_class(labels))  # (B,) or (2 B,)
        noise = normal_noise(generators, self.space.num_latents, self.space.latent_dim)
        x0 = self.process.sample(at_each_time(network), noise.to(self.device), sampling)
        return self.normalizer.denormalize(x0)
