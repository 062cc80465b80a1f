"""Softmax over the codes of a VQ tokenizer: core's LatentLM as a plain language model (5.1.3).

A sequence is the class and the N codes, row by row, as in LlamaGen (arXiv 2406.06525). The codes
come first in the vocabulary, then the classes and the null class; only codes are drawn.

B images, N codes of an image, V codes.
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.errors import ConfigError
from latentspeech.core.latents.normalizer import LatentNormalizer
from latentspeech.core.lm.config import LatentLMConfig
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
from latentvision.generation.generator import Advance, ImageGenerator, ImageSampling
from latentvision.generation.space import ImageBatch, ImageSpace


class VQLMConfig(Config):
    """Sizes of the model; the tokenizer fixes the number of codes."""

    kind: Literal["vq"] = "vq"
    backbone: BackboneConfig = Field(BackboneConfig(), description="the causal Transformer")
    token_head: Literal["tied", "separate"] = Field(
        "separate", description="output matrix shared with the input, or of its own (LlamaGen)"
    )


class VQLM(ImageGenerator):
    """A language model of codes; what the others call latents are codes (B, N, 1)."""

    uses: ClassVar[frozenset[str]] = frozenset({"cfg_scale", "temperature", "top_p"})

    def __init__(self, space: ImageSpace, config: VQLMConfig) -> None:
        super().__init__(space)
        if space.num_codes is None or space.latent_dim != 1:
            raise ConfigError(
                "a model of kind vq for latents; expected codes: give it those of a VQ tokenizer, "
                "or take another kind"
            )
        self.num_codes = space.num_codes
        self.lm = LatentLM(
            LatentLMConfig(
                backbone=config.backbone.causal(),
                vocab_size=space.num_codes + space.null_class + 1,
                token_head=config.token_head,
            )
        )
        self._normalizer = LatentNormalizer(1)

    @property
    def normalizer(self) -> LatentNormalizer:
        """Not used: codes have no scale."""
        return self._normalizer

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Does nothing, because codes have no scale."""

    def units(self) -> list[Unit]:
        """The blocks of the backbone."""
        return [*map(Unit, self.lm.backbone.layers)]

    def mixed_batch(self, batch: ImageBatch) -> MixedBatch:
        """The sequences (B, 1 + N) of a batch, whose codes are the targets."""
        self.check_batch(batch)
        codes = batch.latents[..., 0].round().long()  # (B, N)
        token_ids = torch.cat((self.num_codes + batch.labels[:, None], codes), dim=1)
        targets = torch.ones_like(token_ids, dtype=torch.bool)
        targets[:, 0] = False
        return MixedBatch(
            kinds=torch.full_like(token_ids, TOKEN),
            token_ids=token_ids,
            neighbour_ids=token_ids.new_zeros(*token_ids.shape, 0),
            latents=(),
            targets=targets,
            segment_ids=None,
        )

    def loss(self, batch: ImageBatch, generator: torch.Generator) -> Tensor:
        """Cross entropy, nats a code."""
        return latent_lm_loss(self.lm, self.mixed_batch(batch), generator).total

    def draw(
        self,
        labels: Tensor,
        generators: Sequence[torch.Generator],
        sampling: ImageSampling,
        advance: Advance,
    ) -> Tensor:
        """Writes all images at once, a code a step; guidance acts on the logits."""
        count = self.space.num_latents
        tokens = SamplingConfig(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            token_cfg_scale=sampling.cfg_scale,
        )
        session = Session(TorchRuntime(self.lm), tokens, len(labels), count + 2)
        limits = GenerationLimits(count, allowed_ids=frozenset(range(self.num_codes)))
        hidden = [token_span([self.num_codes + self.space.null_class])]
        session.add(
            [
                SessionRow(
                    prompt=[token_span([self.num_codes + label])],
                    limits=limits,
                    generator=generator,
                    unconditional=hidden if sampling.guided else None,
                )
                for label, generator in zip(labels.tolist(), generators, strict=True)
            ]
        )
        codes = []
        for number in range(count):
            codes.append(torch.from_numpy(session.step().token_ids))  # (B,)
            advance(number + 1, count)
        return torch.stack(codes, dim=1)[..., None].float()
