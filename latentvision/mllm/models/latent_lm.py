"""The multimodal LatentLM: core's model with the vocabulary of pages, pictures its modality.

Pictures are clean in the input, so one pass learns to read them and to draw them. The defaults are
the paper's sizes (5.2, appendix D): a backbone of 1.3B and a head of six layers.

R pages, N latents of a picture, D latent size.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.diffusion.config import DiffusionConfig
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import latent_lm_loss, loss_counts
from latentspeech.core.lm.mixed_batch import MixedBatch, collate
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.generate import token_span
from latentspeech.core.lm.sampling.row_policy import GenerationLimits
from latentspeech.core.lm.sampling.session import Session, SessionRow
from latentspeech.core.lm.torch_runtime import TorchRuntime
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.train.metric_log import Mean
from latentspeech.core.train.task import Unit
from latentvision.generation.generator import Advance
from latentvision.mllm.models.page_model import PageLoss, PageModel, PictureSpace, ReadPage
from latentvision.mllm.models.sampling import PageSampling
from latentvision.mllm.sequence import IMAGE
from latentvision.mllm.tokens.vocabulary import Vocabulary

PAPER_BACKBONE = TransformerConfig(
    model_dim=2048,
    num_layers=24,
    num_heads=16,
    num_kv_heads=16,
    head_dim=128,
    ffn_dim=6144,
    ffn_kind="swiglu",
)


class MultimodalLMConfig(Config):
    """Sizes of the model, and its diffusion."""

    kind: Literal["latent_lm"] = "latent_lm"
    backbone: TransformerConfig = Field(PAPER_BACKBONE, description="the causal Transformer")
    head_layers: int = Field(6, ge=1, description="blocks of the diffusion head")
    head_ffn_dim: int = Field(
        8192, ge=1, description="inner width of its SwiGLU, 4 d; not printed for this model"
    )
    diffusion: DiffusionConfig = Field(DiffusionConfig(), description="schedule, target, loss")
    diffusion_weight: float = Field(1.0, ge=0, description="alpha; not in the paper")


def multimodal_lm_config(
    vocabulary: Vocabulary, num_latents: int, latent_dim: int, config: MultimodalLMConfig
) -> LatentLMConfig:
    """The LatentLM whose only modality is pictures of `num_latents` latents of `latent_dim`."""
    picture = ModalityConfig(
        name="image",
        latent_dim=latent_dim,
        bod_id=vocabulary.boi,
        eod_id=vocabulary.eoi,
        slot_id=vocabulary.slot,
        head_layers=config.head_layers,
        head_ffn_dim=config.head_ffn_dim,
        num_latents=num_latents,
        diffusion=config.diffusion,
        diffusion_weight=config.diffusion_weight,
    )
    return LatentLMConfig(
        backbone=config.backbone, vocab_size=vocabulary.size, modalities=(picture,)
    )


class MultimodalLM(PageModel):
    """Core's LatentLM on pages."""

    def __init__(
        self, vocabulary: Vocabulary, space: PictureSpace, config: MultimodalLMConfig
    ) -> None:
        sizes = multimodal_lm_config(vocabulary, space.num_latents, space.latent_dim, config)
        super().__init__(LatentLM(sizes), vocabulary, space)

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Gives them to the modality's normaliser."""
        self.lm.set_statistics(IMAGE, mean, std)

    def units(self) -> list[Unit]:
        """The blocks of the backbone, and the diffusion head."""
        return [*map(Unit, self.lm.backbone.layers), Unit(self.lm.diffusion(IMAGE).head)]

    def loss(self, batch: MixedBatch, generator: torch.Generator) -> PageLoss:
        """L_LM + alpha L_diff."""
        found = latent_lm_loss(self.lm, batch, generator)
        metrics = {
            "token": Mean(found.token.detach(), found.num_tokens),
            "picture": Mean(found.diffusion[IMAGE].detach(), found.num_latents[IMAGE]),
        }
        return PageLoss(found.parts, metrics)

    def counts(self, batch: MixedBatch) -> Mapping[str, Tensor]:
        """The decisions and latents of the batch."""
        return loss_counts(self.lm, batch)

    def inputs(self, batch: MixedBatch) -> tuple[Tensor, Tensor | None]:
        """The same inputs as in training; no blocks."""
        return self.lm.embed(batch), None

    def batch(self, sequences: Sequence[MixedSequence]) -> MixedBatch:
        """Sequences of tokens and latents."""
        return collate(sequences, (self.space.latent_dim,)).to(self.device)

    @torch.inference_mode()
    def draw(
        self,
        pages: Sequence[ReadPage],
        without: ReadPage,
        sampling: PageSampling,
        generators: Sequence[torch.Generator],
        advance: Advance = lambda done, of_all: None,
    ) -> Tensor:
        """Writes all pictures at once, a latent a step (R, N, D)."""
        count = self.space.num_latents
        of_latents = SamplingConfig(**sampling.model_dump(include=set(LatentSampling.model_fields)))
        session = drawing_session(self.lm, of_latents, pages, without, generators, count)
        latents = []
        for number in range(count):
            latents.append(session.step().latents[IMAGE].values)  # (R, D), rows in order
            advance(number + 1, count)
        return torch.stack(latents, dim=1).float().cpu()


def drawing_session(
    lm: LatentLM,
    sampling: SamplingConfig,
    pages: Sequence[ReadPage],
    without: ReadPage,
    generators: Sequence[torch.Generator],
    count: int,
    allowed_ids: frozenset[int] | None = None,
) -> Session:
    """A session that goes on with `count` elements on each page."""
    longest = max(page.length for page in (*pages, without))
    session = Session(TorchRuntime(lm), sampling, len(pages), longest + count + 1)
    hidden = [token_span([without.last])] if sampling.guided else None
    session.add(
        [
            SessionRow(
                prompt=[token_span([page.last])],
                limits=GenerationLimits(count, allowed_ids=allowed_ids),
                generator=generator,
                unconditional=hidden,
                prefix=page.prefix,
                unconditional_prefix=without.prefix if sampling.guided else None,
            )
            for page, generator in zip(pages, generators, strict=True)
        ]
    )
    return session
