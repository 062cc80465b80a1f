"""The model of codes (VQ-MLLM): a picture is tokens of the vocabulary (paper 5.2).

It is a plain language model on the backbone, the batches and the engine of the multimodal LatentLM.

R pages, N codes of a picture.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.lm.config import LatentLMConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import latent_lm_loss, loss_counts
from latentspeech.core.lm.mixed_batch import MixedBatch, collate
from latentspeech.core.lm.mixed_sequence import MixedSequence
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.train.metric_log import Mean
from latentspeech.core.train.task import Unit
from latentvision.generation.generator import Advance
from latentvision.mllm.models.latent_lm import PAPER_BACKBONE, drawing_session
from latentvision.mllm.models.page_model import PageLoss, PageModel, PictureSpace, ReadPage
from latentvision.mllm.models.sampling import PageSampling
from latentvision.mllm.tokens.vocabulary import Vocabulary


class CodeLMConfig(Config):
    """Sizes of the model; the picture tokenizer fixes the number of codes."""

    kind: Literal["vq"] = "vq"
    backbone: TransformerConfig = Field(PAPER_BACKBONE, description="the causal Transformer")


def code_lm_config(vocabulary: Vocabulary, backbone: TransformerConfig) -> LatentLMConfig:
    """A language model of the vocabulary, which has the codes at its end."""
    return LatentLMConfig(backbone=backbone, vocab_size=vocabulary.size)


class CodeLM(PageModel):
    """A language model of text and codes."""

    def __init__(self, vocabulary: Vocabulary, space: PictureSpace, config: CodeLMConfig) -> None:
        super().__init__(LatentLM(code_lm_config(vocabulary, config.backbone)), vocabulary, space)

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Does nothing, because codes have no scale."""

    def units(self) -> list[Unit]:
        """The blocks of the backbone."""
        return [*map(Unit, self.lm.backbone.layers)]

    def loss(self, batch: MixedBatch, generator: torch.Generator) -> PageLoss:
        """L_LM of text and codes together; nothing is drawn."""
        found = latent_lm_loss(self.lm, batch, generator)
        return PageLoss(found.parts, {"token": Mean(found.token.detach(), found.num_tokens)})

    def counts(self, batch: MixedBatch) -> Mapping[str, Tensor]:
        """The decisions of the batch, whether its pictures are codes yet or not."""
        return loss_counts(self.lm, replace(batch, latents=()))

    def inputs(self, batch: MixedBatch) -> tuple[Tensor, Tensor | None]:
        """The embeddings of text and codes; no blocks."""
        return self.lm.embed(batch), None

    def batch(self, sequences: Sequence[MixedSequence]) -> MixedBatch:
        """Sequences of tokens."""
        return collate(sequences, ()).to(self.device)

    @torch.inference_mode()
    def draw(
        self,
        pages: Sequence[ReadPage],
        without: ReadPage,
        sampling: PageSampling,
        generators: Sequence[torch.Generator],
        advance: Advance = lambda done, of_all: None,
    ) -> Tensor:
        """Writes all pictures at once, a code a step (R, N); guidance acts on the logits."""
        count, first = self.space.num_latents, self.vocabulary.codes
        codes_only = frozenset(range(first, first + self.space.num_codes))
        of_codes = SamplingConfig(
            temperature=sampling.code_temperature,
            top_p=sampling.code_top_p,
            token_cfg_scale=sampling.cfg_scale,
        )
        session = drawing_session(self.lm, of_codes, pages, without, generators, count, codes_only)
        codes = []
        for number in range(count):
            codes.append(torch.from_numpy(session.step().token_ids) - first)  # (R,)
            advance(number + 1, count)
        return torch.stack(codes, dim=1)
