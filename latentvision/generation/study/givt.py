"""GIVT in the study: LatentLM's causal Transformer with a mixture of Gaussians as its head.

Tschannen et al. 2023, arXiv 2312.02116; 16 mixtures as there. The objective is the negative
log-likelihood. Sequence, backbone and sizes are LatentLM's, but the class alone precedes the
latents. The paper's variational posterior and multivariate decoder tricks are left out.

B images, N latents of an image, D latent size, d model width, C candidates of guidance.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.latents.normalizer import LatentNormalizer
from latentspeech.core.nn.transformer import Transformer
from latentspeech.core.train.task import Unit
from latentvision.generation.backbone import BackboneConfig
from latentvision.generation.fixed_norm import build_normalizer
from latentvision.generation.generator import Advance, ImageGenerator, ImageSampling
from latentvision.generation.space import ImageBatch, ImageSpace
from latentvision.generation.study.mixture_head import MixtureHead, choose_guided


class GIVTConfig(Config):
    """Sizes of the model."""

    kind: Literal["givt"] = "givt"
    backbone: BackboneConfig = Field(BackboneConfig(), description="the causal Transformer")
    num_mixtures: int = Field(16, ge=1, description="Gaussians of the head")
    fixed_norm: bool = Field(False, description="latents on a sphere (fixed_norm.py)")


class GIVT(ImageGenerator):
    """A causal Transformer over latents whose head is a density."""

    uses: ClassVar[frozenset[str]] = frozenset({"cfg_scale", "temperature", "num_candidates"})

    def __init__(self, space: ImageSpace, config: GIVTConfig) -> None:
        super().__init__(space)
        width = config.backbone.model_dim
        self._normalizer = build_normalizer(space.latent_dim, config.fixed_norm)
        self.label_embedding = nn.Embedding(space.null_class + 1, width)
        nn.init.normal_(self.label_embedding.weight, std=0.02)
        self.input = nn.Linear(space.latent_dim, width, bias=False)
        nn.init.normal_(self.input.weight, std=0.02)
        self.backbone = Transformer(config.backbone.causal())
        self.head = MixtureHead(width, space.latent_dim, config.num_mixtures)

    @property
    def normalizer(self) -> LatentNormalizer:
        """The scale of latents inside the model."""
        return self._normalizer

    def units(self) -> list[Unit]:
        """The blocks of the backbone."""
        return [*map(Unit, self.backbone.layers)]

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Normalised latents x (B, N, D) and classes (B,) -> the states (B, N, d) before each."""
        class_input = self.label_embedding(labels)[:, None]  # (B, 1, d)
        inputs = torch.cat((class_input, self.embed(x[:, :-1])), dim=1)  # (B, N, d)
        hidden: Tensor = self.backbone(inputs)
        return hidden

    def embed(self, x: Tensor) -> Tensor:
        """Normalised latents (..., D) -> inputs of the backbone (..., d)."""
        inputs: Tensor = self.input(x.to(self.input.weight.dtype))
        return inputs

    def loss(self, batch: ImageBatch, generator: torch.Generator) -> Tensor:
        """The negative log-likelihood, nats a channel, a mean over latents."""
        self.check_batch(batch)
        x = self.normalizer.normalize(batch.latents)
        log_density = self.head(self(x, batch.labels)).log_density(x)  # (B, N)
        return -log_density.mean() / self.space.latent_dim

    def draw(
        self,
        labels: Tensor,
        generators: Sequence[torch.Generator],
        sampling: ImageSampling,
        advance: Advance,
    ) -> Tensor:
        """Writes all images at once, a latent a step."""
        count = self.space.num_latents
        asked = sampling.conditions(labels, self.without_class(labels))  # (B,) or (2 B,)
        state = self.backbone.init_state(len(asked), count)
        inputs = self.label_embedding(asked)  # (B or 2 B, d)
        latents = []
        for number in range(count):
            hidden, state = self.backbone.step(inputs[:, None], state)
            x = self._draw_latent(hidden[:, 0], generators, sampling)  # (B, D)
            raw = self.normalizer.denormalize(x)
            latents.append(raw)
            x = self.normalizer.normalize(raw)
            inputs = self.embed(torch.cat((x, x)) if sampling.guided else x)
            advance(number + 1, count)
        return torch.stack(latents, dim=1)

    def _draw_latent(
        self, hidden: Tensor, generators: Sequence[torch.Generator], sampling: ImageSampling
    ) -> Tensor:
        """A normalised latent (B, D) for the states (B or 2 B, d) that predict it."""
        num = sampling.num_candidates if sampling.guided else 1
        size = self.space.latent_dim
        uniforms, noise = (
            torch.stack([draw(shape, generator=generator) for generator in generators])
            for draw, shape in ((torch.rand, (num + 1,)), (torch.randn, (num, size)))
        )
        uniforms, noise = uniforms.to(hidden.device), noise.to(hidden.device)
        mixtures = self.head(hidden)  # (B or 2 B, ...)
        rows = len(generators)
        conditional = type(mixtures)(*(part[:rows] for part in mixtures))
        candidates = conditional.draw(uniforms[:, :num], noise, sampling.temperature)  # (B, C, D)
        if not sampling.guided:
            return candidates[:, 0]
        with_place, without = (
            type(mixtures)(*(part[half, None] for part in mixtures))
            for half in (slice(0, rows), slice(rows, None))
        )
        scale = sampling.cfg_scale
        return choose_guided(with_place, without, candidates, scale, uniforms[:, num:])
