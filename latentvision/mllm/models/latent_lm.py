"""The multimodal LatentLM: core's model with the vocabulary of pages, pictures its modality.

Speech can be a second modality, with a diffusion head of its own.

Pictures are clean in the input, so one pass learns to read them and to draw them. The defaults are
the paper's sizes (5.2, appendix D): a backbone of 1.3B and a head of six layers.

R pages, N latents of a picture, T of speech, D latent size.
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
from latentvision.mllm.sequence import IMAGE, SPEECH
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


class SpeechConfig(Config):
    """Speech as a second modality of continuous latents, beyond the paper's model."""

    latent_dim: int = Field(ge=1, description="channels of the codec's latents")
    head_layers: int = Field(3, ge=1, description="blocks of its diffusion head")
    head_ffn_dim: int = Field(4096, ge=1, description="inner width of its SwiGLU")
    diffusion: DiffusionConfig = Field(DiffusionConfig(), description="schedule, target, loss")
    diffusion_weight: float = Field(1.0, ge=0, description="alpha of speech")


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
    speech: SpeechConfig | None = Field(None, description="None: pages have no speech")


def multimodal_lm_config(
    vocabulary: Vocabulary, num_latents: int, latent_dim: int, config: MultimodalLMConfig
) -> LatentLMConfig:
    """The LatentLM of pictures of `num_latents` latents of `latent_dim`, and of speech if any."""
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
    modalities = (picture, *_speech_modality(vocabulary, config.speech))
    return LatentLMConfig(
        backbone=config.backbone, vocab_size=vocabulary.size, modalities=modalities
    )


def _speech_modality(
    vocabulary: Vocabulary, config: SpeechConfig | None
) -> tuple[ModalityConfig, ...]:
    """Speech, whose end the model predicts; nothing if the model has none."""
    if config is None:
        return ()
    assert vocabulary.speech is not None, "the vocabulary of a model with speech has its marks"
    begin, end, slot = vocabulary.speech
    settings = config.model_dump()
    return (ModalityConfig(name="speech", bod_id=begin, eod_id=end, slot_id=slot, **settings),)


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

    def set_speech_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Stores the mean and deviation (D,) of the latents of speech."""
        self.lm.set_statistics(SPEECH, mean, std)

    def units(self) -> list[Unit]:
        """The blocks of the backbone, and the diffusion heads."""
        heads = range(len(self.lm.config.modalities))
        of_heads = [Unit(self.lm.diffusion(modality).head) for modality in heads]
        return [*map(Unit, self.lm.backbone.layers), *of_heads]

    def loss(self, batch: MixedBatch, generator: torch.Generator) -> PageLoss:
        """L_LM + the sum of alpha L_diff of pictures and of speech."""
        found = latent_lm_loss(self.lm, batch, generator)
        names = ("picture", "speech")[: len(found.diffusion)]
        of_latents = zip(names, found.diffusion, found.num_latents, strict=True)
        metrics = {"token": Mean(found.token.detach(), found.num_tokens)}
        metrics |= {name: Mean(loss.detach(), count) for name, loss, count in of_latents}
        return PageLoss(found.parts, metrics)

    def counts(self, batch: MixedBatch) -> Mapping[str, Tensor]:
        """The decisions and latents of the batch."""
        return loss_counts(self.lm, batch)

    def inputs(self, batch: MixedBatch) -> tuple[Tensor, Tensor | None]:
        """The same inputs as in training; no blocks."""
        return self.lm.embed(batch), None

    def batch(self, sequences: Sequence[MixedSequence]) -> MixedBatch:
        """Sequences of tokens and latents."""
        return collate(sequences, self.lm.config.latent_dims).to(self.device)

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

    @torch.inference_mode()
    def speak(
        self,
        pages: Sequence[ReadPage],
        sampling: PageSampling,
        max_latents: int,
        generators: Sequence[torch.Generator],
    ) -> list[Tensor]:
        """Writes the speech that follows on each page, until the model ends it.

        Args:
            pages: R pages that end with BOD of speech.
            sampling: the solver; speech has no guidance.
            max_latents: the most latents of a page.
            generators: one a page, on the CPU; the only source of randomness.

        Returns:
            Raw latents (T, D) of each page, on the CPU.
        """
        assert self.vocabulary.speech is not None, "the model has no speech"
        values = sampling.model_dump(include=set(LatentSampling.model_fields)) | {"cfg_scale": 1.0}
        limits = GenerationLimits(max_latents, end_ids=frozenset([self.vocabulary.speech.end]))
        longest = max(page.length for page in pages)
        session = Session(
            TorchRuntime(self.lm), SamplingConfig(**values), len(pages), longest + max_latents + 1
        )
        ids = session.add(
            [
                SessionRow([token_span([page.last])], limits, generator, prefix=page.prefix)
                for page, generator in zip(pages, generators, strict=True)
            ]
        )
        written: dict[int, list[Tensor]] = {number: [] for number in ids}
        while session.num_rows:
            step = session.step()
            if SPEECH in step.latents:
                places, latents = step.latents[SPEECH]
                for place, latent in zip(places.tolist(), latents, strict=True):
                    written[step.row_ids[place]].append(latent)
        return [torch.stack(written[number]).float().cpu() for number in ids]


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
