"""MAR in the study: masked latents, bidirectional attention, LatentLM's diffusion head.

Li et al. 2024, arXiv 2406.11838. Training hides a random share of the latents and predicts those
from the others; sampling draws some latents a round, in random order, fewer at first. As there, the
share is normal around 1 with deviation 0.25, cut to [0.7, 1], the rounds follow a cosine, and 64
copies of the class precede the latents. Their encoder does not see hidden latents and a decoder
does; here one Transformer of LatentLM's size sees a mask embedding in their places, so that only
the order differs. Guidance is constant instead of growing with the rounds.

B images, N latents of an image, M hidden ones of a batch, D latent size, d model width, P copies.
"""

import math
from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.diffusion.config import DiffusionConfig, DiffusionHeadConfig
from latentspeech.core.diffusion.latent_diffusion import LatentDiffusion
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.errors import ConfigError
from latentspeech.core.latents.normalizer import LatentNormalizer
from latentspeech.core.nn.sine_positions import grid_positions
from latentspeech.core.nn.transformer import Transformer
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

SHARE_DEVIATION = 0.25


class MARConfig(Config):
    """Sizes of the model, and its diffusion."""

    kind: Literal["mar"] = "mar"
    backbone: BackboneConfig = Field(BackboneConfig(), description="the bidirectional Transformer")
    head_layers: int = Field(3, ge=1, description="blocks of the diffusion head")
    head_ffn_dim: int = Field(4096, ge=1, description="inner width of its SwiGLU")
    diffusion: DiffusionConfig = Field(DiffusionConfig(), description="schedule, target, loss")
    num_class_tokens: int = Field(64, ge=1, description="copies of the class before the latents")
    min_hidden_share: float = Field(
        0.7, gt=0, le=1, description="smallest share of latents that training hides"
    )
    fixed_norm: bool = Field(False, description="latents on a sphere (fixed_norm.py)")


class MAR(ImageGenerator):
    """Predicts hidden latents from the visible ones."""

    uses: ClassVar[frozenset[str]] = frozenset({*LatentSampling.model_fields, "num_rounds"})
    positions: Tensor  # (N, d)

    def __init__(self, space: ImageSpace, config: MARConfig) -> None:
        super().__init__(space)
        self.config = config
        width = config.backbone.model_dim
        self._normalizer = build_normalizer(space.latent_dim, config.fixed_norm)
        self.label_embedding = nn.Embedding(space.null_class + 1, width)
        self.class_positions = nn.Parameter(torch.empty(config.num_class_tokens, width))
        self.mask_embedding = nn.Parameter(torch.empty(width))
        self.input = nn.Linear(space.latent_dim, width, bias=False)
        for parameter in (
            self.label_embedding.weight,
            self.class_positions,
            self.mask_embedding,
            self.input.weight,
        ):
            nn.init.normal_(parameter, std=0.02)
        self.backbone = Transformer(config.backbone.bidirectional())
        head = DiffusionHeadConfig(
            latent_dim=space.latent_dim,
            model_dim=width,
            cond_dim=width,
            num_layers=config.head_layers,
            ffn_dim=config.head_ffn_dim,
        )
        self.diffusion = LatentDiffusion(config.diffusion, head)
        positions = grid_positions(space.num_rows, space.num_columns, width)
        self.register_buffer("positions", positions, persistent=False)

    @property
    def normalizer(self) -> LatentNormalizer:
        """The scale of latents inside the model."""
        return self._normalizer

    def units(self) -> list[Unit]:
        """The blocks of the backbone, and the head."""
        return [*map(Unit, self.backbone.layers), Unit(self.diffusion.head)]

    def forward(self, x: Tensor, hidden_places: Tensor, labels: Tensor) -> Tensor:
        """Latents x (B, N, D), True where they are hidden (B, N), classes -> states (B, N, d)."""
        before = self.label_embedding(labels)[:, None] + self.class_positions  # (B, P, d)
        inputs = self.input(x.masked_fill(hidden_places[..., None], 0).to(self.input.weight.dtype))
        inputs = torch.where(hidden_places[..., None], self.mask_embedding.to(inputs), inputs)
        inputs = inputs + self.positions.to(inputs)
        states: Tensor = self.backbone(torch.cat((before.to(inputs), inputs), dim=1))
        return states[:, self.config.num_class_tokens :]

    def loss(self, batch: ImageBatch, generator: torch.Generator) -> Tensor:
        """Equation 2 of the hidden latents, a mean over those of an image and then over images."""
        self.check_batch(batch)
        x0 = self.normalizer.normalize(batch.latents)
        hidden_places = self.draw_hidden(len(x0), generator).to(x0.device)  # (B, N)
        states = self(x0, hidden_places, batch.labels)
        flat = hidden_places.flatten().nonzero()[:, 0]  # (M,)
        targets = x0.flatten(0, 1).index_select(0, flat)
        conditions = states.flatten(0, 1).index_select(0, flat)
        per_latent = self.diffusion.loss(targets, conditions, generator)  # (M,)
        of_image = hidden_places.sum(dim=1, keepdim=True).expand_as(hidden_places)  # (B, N)
        weights = 1 / (of_image.flatten().index_select(0, flat) * len(x0))
        return (per_latent * weights).sum()

    def draw_hidden(self, count: int, generator: torch.Generator) -> Tensor:
        """Which latents of `count` images training hides, (B, N); at least one of each image."""
        share = torch.empty(count)
        lowest = (self.config.min_hidden_share - 1) / SHARE_DEVIATION
        nn.init.trunc_normal_(share, 0.0, 1.0, lowest, 0.0, generator=generator)
        total = self.space.num_latents
        number = (total * (1 + SHARE_DEVIATION * share)).ceil().clamp(1, total)  # (B,)
        ranks = torch.rand(count, total, generator=generator).argsort(dim=1).argsort(dim=1)
        return ranks < number[:, None]

    def draw(
        self,
        labels: Tensor,
        generators: Sequence[torch.Generator],
        sampling: ImageSampling,
        advance: Advance,
    ) -> Tensor:
        """Draws some latents a round, each image's in an order of its own."""
        total, size = self.space.num_latents, self.space.latent_dim
        sizes = round_sizes(total, sampling.num_rounds)
        orders = [torch.randperm(total, generator=generator) for generator in generators]
        order = torch.stack(orders).to(self.device)  # (B, N)
        noise = normal_noise(generators, total, size).to(self.device)
        asked = sampling.conditions(labels, self.without_class(labels))  # (B,) or (2 B,)
        copies = len(asked) // len(labels)
        raw = torch.zeros_like(noise)
        hidden_places = torch.ones(noise.shape[:2], dtype=torch.bool, device=self.device)
        start = 0
        for number, count in enumerate(sizes):
            places = order[:, start : start + count]  # (B, m)
            x = self.normalizer.normalize(raw)
            states = self(x.repeat(copies, 1, 1), hidden_places.repeat(copies, 1), asked)
            index = places.repeat(copies, 1)[..., None]
            states = states.gather(1, index.expand(-1, -1, states.shape[-1])).flatten(0, 1)
            cond, *uncond = states.chunk(copies)  # (B m, d) each
            index = places[..., None].expand(-1, -1, size)
            start_noise = noise.gather(1, index).flatten(0, 1)
            drawn = self.diffusion.sample(
                cond, start_noise, uncond[0] if uncond else None, sampling
            )
            raw.scatter_(1, index, self.normalizer.denormalize(drawn).view_as(index).to(raw))
            hidden_places.scatter_(1, places, False)
            start += count
            advance(number + 1, len(sizes))
        return raw


def round_sizes(num_latents: int, num_rounds: int) -> list[int]:
    """How many latents each round draws: after round r, N cos(pi / 2 r / R) are still hidden.

    A round draws at least one.

    Raises:
        ConfigError: there are more rounds than latents.
    """
    if num_rounds > num_latents:
        raise ConfigError(
            f"num_rounds = {num_rounds} for images of {num_latents} latents; expected at most as "
            "many rounds as latents"
        )
    left = num_latents
    sizes = []
    for number in range(1, num_rounds + 1):
        wanted = math.floor(num_latents * math.cos(math.pi / 2 * number / num_rounds))
        most = num_rounds - number  # one for each of the rounds that follow
        after = max(min(wanted, left - 1), most)
        sizes.append(left - after)
        left = after
    return sizes
