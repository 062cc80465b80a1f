"""Image LatentLM: one causal Transformer writes the latents of an image in raster order (5.1).

A sequence is the class, BOD and the N latents; each latent is predicted from the state before it.
Their number is fixed, so there is no EOD. The model and its sampling are core's; this file says
what a sequence of an image is.

B images, N latents of an image, D latent size.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.diffusion.config import DiffusionConfig
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.latents.normalizer import LatentNormalizer
from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import latent_lm_loss
from latentspeech.core.lm.mixed_batch import MixedBatch
from latentspeech.core.lm.mixed_sequence import TOKEN
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.generate import token_span
from latentspeech.core.lm.sampling.row_policy import GenerationLimits
from latentspeech.core.lm.sampling.session import Session, SessionRow
from latentspeech.core.lm.torch_runtime import TorchRuntime
from latentspeech.core.train.task import Unit
from latentvision.generation.backbone import BackboneConfig
from latentvision.generation.fixed_norm import build_normalizer
from latentvision.generation.generator import Advance, ImageGenerator, ImageSampling
from latentvision.generation.space import ImageBatch, ImageSpace

IMAGE = 0  # index of the only modality
CONDITION = 2  # elements before the latents: class and BOD


class ImageLMConfig(Config):
    """Sizes of the model, and its diffusion."""

    kind: Literal["lm"] = "lm"
    backbone: BackboneConfig = Field(BackboneConfig(), description="the causal Transformer")
    head_layers: int = Field(3, ge=1, description="blocks of the diffusion head")
    head_ffn_dim: int = Field(4096, ge=1, description="inner width of its SwiGLU; the paper's 4 d")
    diffusion: DiffusionConfig = Field(DiffusionConfig(), description="schedule, target, loss")
    fixed_norm: bool = Field(False, description="latents on a sphere (fixed_norm.py)")


def latent_lm_config(space: ImageSpace, config: ImageLMConfig) -> LatentLMConfig:
    """The LatentLM: the classes and the null class come first, then BOD, EOD and slot token."""
    first = space.null_class + 1
    image = ModalityConfig(
        name="image",
        latent_dim=space.latent_dim,
        bod_id=first,
        eod_id=first + 1,
        slot_id=first + 2,
        head_layers=config.head_layers,
        head_ffn_dim=config.head_ffn_dim,
        num_latents=space.num_latents,
        diffusion=config.diffusion,
    )
    return LatentLMConfig(
        backbone=config.backbone.causal(), vocab_size=first + 3, modalities=(image,)
    )


class ImageLM(ImageGenerator):
    """A LatentLM with one modality."""

    uses: ClassVar[frozenset[str]] = frozenset(LatentSampling.model_fields)

    def __init__(self, space: ImageSpace, config: ImageLMConfig) -> None:
        super().__init__(space)
        self.lm = LatentLM(latent_lm_config(space, config))
        self.lm.normalizers[IMAGE] = build_normalizer(space.latent_dim, config.fixed_norm)
        self.bod_id = self.lm.config.modalities[IMAGE].bod_id

    @property
    def normalizer(self) -> LatentNormalizer:
        """The modality's normaliser."""
        normalizer = self.lm.normalizers[IMAGE]
        assert isinstance(normalizer, LatentNormalizer)
        return normalizer

    def units(self) -> list[Unit]:
        """The blocks of the backbone, and the head."""
        return [*map(Unit, self.lm.backbone.layers), Unit(self.lm.diffusion(IMAGE).head)]

    def mixed_batch(self, batch: ImageBatch) -> MixedBatch:
        """The sequences (B, 2 + N) of a batch, whose latents are the targets."""
        self.check_batch(batch)
        count, length = len(batch.labels), CONDITION + self.space.num_latents
        kinds = batch.labels.new_full((count, length), 1 + IMAGE)
        kinds[:, :CONDITION] = TOKEN
        token_ids = torch.zeros_like(kinds)
        token_ids[:, 0], token_ids[:, 1] = batch.labels, self.bod_id
        return MixedBatch(
            kinds=kinds,
            token_ids=token_ids,
            neighbour_ids=kinds.new_zeros(count, length, 0),
            latents=(batch.latents.flatten(0, 1),),
            targets=kinds != TOKEN,
            segment_ids=None,
        )

    def loss(self, batch: ImageBatch, generator: torch.Generator) -> Tensor:
        """Equation 2, a mean over latents, channels and noise draws."""
        return latent_lm_loss(self.lm, self.mixed_batch(batch), generator).total

    def draw(
        self,
        labels: Tensor,
        generators: Sequence[torch.Generator],
        sampling: ImageSampling,
        advance: Advance,
    ) -> Tensor:
        """Writes all images at once, a latent a step."""
        count = self.space.num_latents
        shared = SamplingConfig(**sampling.model_dump(include=set(self.uses)))
        session = Session(TorchRuntime(self.lm), shared, len(labels), CONDITION + count + 1)
        hidden = [token_span([self.space.null_class, self.bod_id])]
        session.add(
            [
                SessionRow(
                    prompt=[token_span([label, self.bod_id])],
                    limits=GenerationLimits(count),
                    generator=generator,
                    unconditional=hidden if sampling.guided else None,
                )
                for label, generator in zip(labels.tolist(), generators, strict=True)
            ]
        )
        latents = []
        for number in range(count):
            latents.append(session.step().latents[IMAGE].values)  # (B, D), rows in order
            advance(number + 1, count)
        return torch.stack(latents, dim=1)
