"""The contract of the models of pages: LatentLM, Transfusion and the model of codes (paper 5.2).

All have the same tokens, backbone, batches and engine. They differ in how a picture enters the
backbone and how it is drawn. Text is read, scored and written by this one code for all of them.

B rows, T elements, R pages, N latents of a picture, D latent size, d model width, V vocabulary.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.config import Config
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import MAX_LOGITS
from latentspeech.core.lm.mixed_batch import MixedBatch
from latentspeech.core.lm.mixed_sequence import TOKEN, MixedSequence, TokenSpan, num_elements
from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.core.lm.sampling.generate import token_span
from latentspeech.core.lm.sampling.prefix_store import Prefix
from latentspeech.core.lm.sampling.row_policy import GenerationLimits
from latentspeech.core.lm.sampling.session import Session, SessionRow
from latentspeech.core.lm.torch_runtime import TorchRuntime
from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.train.metric_log import Mean
from latentspeech.core.train.task import Unit
from latentvision.generation.generator import Advance
from latentvision.mllm.models.sampling import PageSampling
from latentvision.mllm.tokens.vocabulary import Vocabulary


class PictureSpace(Config):
    """What a picture is to a model of pages."""

    num_latents: int = Field(ge=1, description="N, latents or codes of a picture")
    latent_dim: int = Field(0, ge=0, description="D, channels of a latent; 0 for codes")
    num_codes: int = Field(0, ge=0, description="size of the codebook; 0 for latents")


class PageLoss(NamedTuple):
    """The objective on one batch."""

    parts: Mapping[str, Tensor]  # summands, each a mean over the elements that `counts` gives
    metrics: Mapping[str, Mean]  # the same without their weights, detached, by name


class ReadPage(NamedTuple):
    """A page that the model has read: the cache of all but its last element, and that token.

    The last one is fed by whoever continues the page, because its hidden state is needed there.
    """

    prefix: Prefix | None  # None: the page has one token
    last: int

    @property
    def length(self) -> int:
        """The number of elements."""
        return 1 + (0 if self.prefix is None else self.prefix.saved.end)


def load_page(cache: KVCache, row: int, prefix: Prefix | None) -> None:
    """Puts what was read of a page into an empty row of a cache."""
    if prefix is not None:
        assert isinstance(prefix.saved, KVCache), "`PageModel.read` saves no other"
        cache.load_row(row, prefix.saved)


class PageModel(nn.Module, ABC):
    """Learns pages and continues them."""

    def __init__(self, lm: LatentLM, vocabulary: Vocabulary, space: PictureSpace) -> None:
        super().__init__()
        self.lm = lm
        self.vocabulary = vocabulary
        self.space = space

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.lm.device

    @abstractmethod
    def loss(self, batch: MixedBatch, generator: torch.Generator) -> PageLoss:
        """The objective; `generator` draws diffusion times and noise."""

    @abstractmethod
    def counts(self, batch: MixedBatch) -> Mapping[str, Tensor]:
        """The number of elements of each part of the objective."""

    @abstractmethod
    def inputs(self, batch: MixedBatch) -> tuple[Tensor, Tensor | None]:
        """Backbone inputs (B, T, d) of pages whose pictures are read, and block ids (B, T)."""

    @abstractmethod
    def draw(
        self,
        pages: Sequence[ReadPage],
        without: ReadPage,
        sampling: PageSampling,
        generators: Sequence[torch.Generator],
        advance: Advance = lambda done, of_all: None,
    ) -> Tensor:
        """Draws the picture that follows on each page.

        Args:
            pages: R pages that end with BOI.
            without: a page without the condition, for guidance.
            sampling: solver, guidance and what else this model uses.
            generators: one a page, on the CPU; the only source of randomness.
            advance: is told how much of the work is done.

        Returns:
            Raw latents (R, N, D), or codes (R, N), on the CPU.
        """

    @abstractmethod
    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Stores the mean and deviation (D,) of the training latents, if latents are used."""

    @abstractmethod
    def units(self) -> list[Unit]:
        """The blocks that can be sharded, recomputed or compiled by themselves."""

    def nats(self, batch: MixedBatch) -> tuple[Tensor, Tensor]:
        """What each token that is a target costs, when the pictures before it are read clean.

        Returns:
            nats (B, T) float32, 0 elsewhere; where there is such a token (B, T).
        """
        x, block_ids = self.inputs(batch)
        hidden = self.lm.backbone(x, batch.segment_ids, block_ids).flatten(0, 1)
        here = batch.targets & (batch.kinds == TOKEN)  # (B, T)
        here[:, 0] = False  # no state predicts it
        places = here.flatten().nonzero().squeeze(1)
        wanted = batch.token_ids.flatten()[places]
        rows = max(1, MAX_LOGITS // self.lm.config.vocab_size)
        nats = hidden.new_zeros(here.numel(), dtype=torch.float32)
        for some, ids in zip(torch.split(places, rows), torch.split(wanted, rows), strict=True):
            logits = self.lm.token_logits(hidden[some - 1]).float()
            nats[some] = functional.cross_entropy(logits, ids, reduction="none")
        return nats.view(here.shape), here

    @torch.inference_mode()
    def read(self, sequence: MixedSequence, after: ReadPage | None = None) -> ReadPage:
        """Reads elements that begin a page or go on with one; the last of them is a token.

        Pictures are whole within `sequence`, and none is encoded or read a second time.
        """
        *before, end = [span for span in sequence if num_elements([span])]
        assert isinstance(end, TokenSpan), "a page ends with a token when it is continued"
        *head, last = end.ids.tolist()
        begun = [] if after is None else [token_span([after.last])]
        new = [*begun, *before, *([token_span(head)] if head else [])]
        prefix = None if after is None else after.prefix
        return ReadPage(self._extended(prefix, new) if new else prefix, last)

    def _extended(self, prefix: Prefix | None, sequence: MixedSequence) -> Prefix:
        start = 0 if prefix is None else prefix.saved.end
        x, block_ids = self.inputs(self.batch([sequence]))
        cache = self.lm.backbone.init_state(1, start + x.shape[1])
        load_page(cache, 0, prefix)
        hidden, cache = self.lm.backbone.step(x, cache, block_ids=block_ids)
        return Prefix(cache, hidden[0, -1])

    @abstractmethod
    def batch(self, sequences: Sequence[MixedSequence]) -> MixedBatch:
        """A batch of one sequence a row on the model's device."""

    @torch.inference_mode()
    def write(
        self,
        pages: Sequence[ReadPage],
        end_ids: frozenset[int],
        sampling: PageSampling,
        max_tokens: int,
        generators: Sequence[torch.Generator],
    ) -> Iterator[list[int | None]]:
        """Writes text on R pages; each ends with one of `end_ids`, or after `max_tokens`.

        Yields:
            The next token of each page; None for pages that have ended.
        """
        allowed = frozenset(range(self.vocabulary.text_size)) | end_ids
        limits = GenerationLimits(max_tokens, end_ids=end_ids, allowed_ids=allowed)
        tokens = SamplingConfig(temperature=sampling.text_temperature, top_p=sampling.text_top_p)
        longest = max(page.length for page in pages)
        session = Session(TorchRuntime(self.lm), tokens, len(pages), longest + max_tokens + 1)
        ids = session.add(
            [
                SessionRow([token_span([page.last])], limits, generator, prefix=page.prefix)
                for page, generator in zip(pages, generators, strict=True)
            ]
        )
        while session.num_rows:
            step = session.step()
            written = dict(zip(step.row_ids, step.token_ids.tolist(), strict=True))
            yield [written.get(number) for number in ids]
