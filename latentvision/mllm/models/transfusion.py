"""The Transfusion baseline (Zhou et al. 2024, arXiv 2408.11039) on the same pages (paper 5.2).

Text is causal. A picture is noised at one time t, its latents see each other in both directions,
and a ViT of six layers turns their hidden states into the prediction of the noise:

    x_t = alpha(t) x_0 + sigma(t) eps;  prediction = ViT(Transformer(text, input(x_t) + time(t)))

So the text after a picture is learned from a noised copy. Where only pictures come before it, as in
a picture with its caption, t stays below `max_read_time`; otherwise the caption would be learned
from noise. To draw, the picture is denoised at its place while the cache of the text before it
stays; then it is read once more, clean, at t = 0.

B rows, T elements, R pages, n pictures, N latents of a picture, D latent size, d model width.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.diffusion.config import DiffusionConfig, DiffusionLossConfig
from latentspeech.core.diffusion.head import TimeEmbedding
from latentspeech.core.diffusion.process import DiffusionProcess, at_each_time
from latentspeech.core.latents.normalizer import LatentNormalizer
from latentspeech.core.lm.config import LatentLMConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.loss import TOKEN_PART, token_loss
from latentspeech.core.lm.mixed_batch import MixedBatch, collate
from latentspeech.core.lm.mixed_sequence import TOKEN, MixedSequence
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.nn.sequence_mask import run_bounds
from latentspeech.core.nn.transformer import Transformer
from latentspeech.core.tensors import randn
from latentspeech.core.train.metric_log import Mean
from latentspeech.core.train.task import Unit
from latentvision.generation.generator import Advance, normal_noise
from latentvision.mllm.models.latent_lm import PAPER_BACKBONE
from latentvision.mllm.models.page_model import (
    PageLoss,
    PageModel,
    PictureSpace,
    ReadPage,
    load_page,
)
from latentvision.mllm.models.sampling import PageSampling
from latentvision.mllm.sequence import IMAGE
from latentvision.mllm.tokens.vocabulary import Vocabulary

TIME_EMBEDDING_DIM = 256
PICTURE_PART = "picture"
_PICTURE = 1 + IMAGE  # the kind of a picture's elements


class TransfusionConfig(Config):
    """Sizes of the model, and its diffusion."""

    kind: Literal["transfusion"] = "transfusion"
    backbone: TransformerConfig = Field(PAPER_BACKBONE, description="the Transformer")
    head_layers: int = Field(6, ge=1, description="layers of the ViT after the backbone")
    head_ffn_dim: int = Field(6144, ge=1, description="inner width of its SwiGLU")
    diffusion: DiffusionConfig = Field(
        DiffusionConfig(loss=DiffusionLossConfig(num_noise_draws=1)),
        description="schedule, target, loss",
    )
    diffusion_weight: float = Field(5.0, ge=0, description="lambda of Transfusion")
    max_read_time: float = Field(
        0.5, gt=0, le=1, description="largest t of a picture that comes before all text of its page"
    )

    @model_validator(mode="after")
    def _check(self) -> "TransfusionConfig":
        draws = self.diffusion.loss.num_noise_draws
        if draws != 1:
            raise ValueError(
                f"diffusion.loss.num_noise_draws is {draws}; expected 1, because each draw needs a "
                "pass of the whole network: enlarge the batch instead"
            )
        return self

    @property
    def head(self) -> TransformerConfig:
        """The ViT, of the backbone's width."""
        of_head = {"num_layers": self.head_layers, "ffn_dim": self.head_ffn_dim, "causal": False}
        return self.backbone.model_copy(update=of_head)


class Transfusion(PageModel):
    """Text is predicted, pictures are denoised as a whole."""

    def __init__(
        self, vocabulary: Vocabulary, space: PictureSpace, config: TransfusionConfig
    ) -> None:
        lm = LatentLM(LatentLMConfig(backbone=config.backbone, vocab_size=vocabulary.size))
        super().__init__(lm, vocabulary, space)
        self.config = config
        width = config.backbone.model_dim
        self.process = DiffusionProcess(config.diffusion)
        self.normalizer = LatentNormalizer(space.latent_dim)
        self.picture_input = nn.Linear(space.latent_dim, width, bias=False)
        nn.init.normal_(self.picture_input.weight, std=0.02)
        self.time = TimeEmbedding(TIME_EMBEDDING_DIM, width)
        self.head = Transformer(config.head)
        self.output = nn.Linear(width, space.latent_dim, bias=False)
        nn.init.zeros_(self.output.weight)

    def set_statistics(self, mean: Tensor, std: Tensor) -> None:
        """Gives them to the normaliser."""
        self.normalizer.mean.copy_(mean)
        self.normalizer.std.copy_(std)

    def units(self) -> list[Unit]:
        """The blocks of the backbone and of the head."""
        return [*map(Unit, self.lm.backbone.layers), *map(Unit, self.head.layers)]

    def counts(self, batch: MixedBatch) -> Mapping[str, Tensor]:
        """The text tokens that are targets, and the pictures."""
        targets = self._text_targets(batch)
        num_pictures = (batch.kinds == _PICTURE).sum() // self.space.num_latents
        return {TOKEN_PART: targets.sum(), PICTURE_PART: num_pictures}

    def loss(self, batch: MixedBatch, generator: torch.Generator) -> PageLoss:
        """L_LM + lambda L_diff, with one time and one noise a picture."""
        x0 = self._pictures(batch)  # (n, N, D)
        t = self.times(batch, generator)  # (n,)
        noised = self.process.noised(x0, randn(tuple(x0.shape), generator, like=x0), t)
        x, block_ids = self._inputs(batch, noised.x_t, t)
        hidden = self.lm.backbone(x, batch.segment_ids, block_ids)  # (B, T, d)
        states = hidden[batch.kinds == _PICTURE].unflatten(0, x0.shape[:2])  # (n, N, d)
        if len(x0):
            of_picture = (self.predict(states).float() - noised.target).square().mean()
        else:
            # 0, with gradients of all parts, in the order of a batch that has pictures: processes
            # that share out the weights must meet there.
            states = hidden[:1, :1].expand(1, x0.shape[1], x.shape[-1])
            of_picture = self.predict(states).sum() * 0
        of_text, num_tokens = token_loss(
            self.lm, batch, hidden.flatten(0, 1), self._text_targets(batch)
        )
        metrics = {
            "token": Mean(of_text.detach(), num_tokens),
            "picture": Mean(of_picture.detach(), len(x0)),
        }
        weighted = self.config.diffusion_weight * of_picture
        return PageLoss({TOKEN_PART: of_text, PICTURE_PART: weighted}, metrics)

    def times(self, batch: MixedBatch, generator: torch.Generator) -> Tensor:
        """A time for each picture (n,); smaller where the picture is before all text."""
        read = self.is_read(batch)  # (n,)
        t = self.process.sample_times((len(read),), generator).to(read.device)
        return self.process.schedule.quantize(torch.where(read, self.config.max_read_time * t, t))

    def is_read(self, batch: MixedBatch) -> Tensor:
        """Which pictures come before all text of their page, and some text does come (n,)."""
        special = range(self.vocabulary.text_size, self.vocabulary.codes)
        in_text = (batch.token_ids < special.start) | (batch.token_ids >= self.vocabulary.question)
        text = ((batch.kinds == TOKEN) & in_text).long()  # (B, T)
        segments = batch.kinds * 0 if batch.segment_ids is None else batch.segment_ids
        first, last = run_bounds(segments)
        seen = text.cumsum(dim=1)  # text up to each element, that included
        before = seen - (seen - text).gather(1, first)
        after = seen.gather(1, last) - seen
        starts = batch.kinds == _PICTURE
        picked = torch.stack((before, after))[:, starts][:, :: self.space.num_latents]  # (2, n)
        return (picked[0] == 0) & (picked[1] > 0)

    def inputs(self, batch: MixedBatch) -> tuple[Tensor, Tensor | None]:
        """Clean pictures at t = 0, each a block."""
        x0 = self._pictures(batch)
        return self._inputs(batch, x0, x0.new_zeros(len(x0)))

    def embed_pictures(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t (n, N, D) at times t (n,) -> inputs of the backbone (n, N, d)."""
        x = self.picture_input(x_t.to(self.picture_input.weight.dtype))
        return x + self.time(t)[:, None]

    def predict(self, states: Tensor) -> Tensor:
        """Hidden states (n, N, d) -> the prediction (n, N, D)."""
        prediction: Tensor = self.output(self.head(states))
        return prediction

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
        """Denoises the pictures of all pages together (R, N, D)."""
        count, done = self.space.num_latents, 0
        rows = [*pages, *([without] * len(pages) if sampling.guided else [])]
        cache = self._cache(rows, count)
        block_ids = torch.zeros(len(rows), count, dtype=torch.long, device=self.device)

        def network(x_t: Tensor, t: Tensor) -> Tensor:
            nonlocal done
            x = self.embed_pictures(x_t, t)
            # A copy of the cache's lengths: the same places are written again in the next step.
            states, _ = self.lm.backbone.step(x, replace(cache), block_ids=block_ids)
            done += 1
            advance(done, sampling.num_steps)
            return self.predict(states)

        noise = normal_noise(generators, count, self.space.latent_dim).to(self.device)
        x0 = self.process.sample(at_each_time(network), noise, sampling)
        return self.normalizer.denormalize(x0).float().cpu()

    def _cache(self, rows: Sequence[ReadPage], count: int) -> KVCache:
        """A cache of pages, their last tokens included, with room for a picture."""
        cache = self.lm.backbone.init_state(len(rows), max(row.length for row in rows) + count)
        for place, row in enumerate(rows):
            load_page(cache, place, row.prefix)
        last = torch.tensor([[row.last] for row in rows], device=self.device)
        _, cache = self.lm.backbone.step(self.lm.embed_tokens(last, None), cache)
        return cache

    def _pictures(self, batch: MixedBatch) -> Tensor:
        """The normalised latents of all pictures of a batch (n, N, D), float32."""
        latents = self.normalizer.normalize(batch.latents[IMAGE])
        return latents.view(-1, self.space.num_latents, self.space.latent_dim)

    def _inputs(self, batch: MixedBatch, x_t: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
        here = batch.kinds == _PICTURE
        x = self.lm.embed(replace(batch, latents=()))  # (B, T, d), zero at pictures
        pictures = self.embed_pictures(x_t, t).flatten(0, 1).to(x.dtype)
        order = (here.flatten().cumsum(0) - 1).view(here.shape)
        block_ids = (order // self.space.num_latents).masked_fill(~here, -1)
        return x.masked_scatter(here[..., None], pictures), block_ids

    def _text_targets(self, batch: MixedBatch) -> Tensor:
        """Tokens that are targets (B, T), but for the first of a row, which no state predicts."""
        targets = batch.targets & (batch.kinds == TOKEN)
        targets[:, 0] = False
        return targets
