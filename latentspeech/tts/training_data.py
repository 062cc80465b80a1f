"""Batches for the TTS task: sampled latents, tokenised text, a prompt of the same speaker.

The model trains on z = mu + |sigma| eps, input and target being the same sample (paper 4.3);
prompts at inference are means.
"""

import logging
from collections.abc import Sequence

import torch
from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.errors import DataError
from latentspeech.core.latents.sigma_vae import SigmaVAEConfig, sample_posterior
from latentspeech.core.lm.latent_lm import ModalityConfig
from latentspeech.core.lm.mixed_sequence import MixedBatch, collate
from latentspeech.core.tensors import make_generator
from latentspeech.data.bucketing import plan_batches
from latentspeech.data.latent_shards import LatentShards
from latentspeech.data.prompt_pairs import choose_prompt, prompt_candidates
from latentspeech.text.tokenizers import Tokenizer
from latentspeech.tts.layout import (
    ConditioningConfig,
    SpokenSymbols,
    SpokenText,
    symbol_frames,
    training_sequence,
)
from latentspeech.tts.model import Layout

logger = logging.getLogger(__name__)


class TTSDataConfig(Config):
    """Sizes of a batch."""

    max_total_latents: int = Field(1200, ge=1, description="padded latents of the targets a batch")
    max_batch_size: int = Field(64, ge=1, description="utterances a batch")
    num_buckets: int = Field(10, ge=1, description="length classes that batches are made of")
    max_prompt_s: float = Field(8.0, gt=0, description="longest prompt, seconds")


class TTSTrainingData:
    """The training protocol (`plan`, `load`) over latent shards."""

    def __init__(
        self,
        shards: LatentShards,
        tokenizer: Tokenizer,
        speech: ModalityConfig,
        posterior: SigmaVAEConfig,
        conditioning: ConditioningConfig,
        config: TTSDataConfig,
        seed: int,
        layout: Layout = "sentence",
        neighbours: tuple[int, int] = (0, 0),
    ) -> None:
        """DataError if `layout` is aligned and there is no utterance with times of its symbols."""
        self.shards = shards
        self.tokenizer = tokenizer
        self.speech = speech
        self.posterior = posterior
        self.conditioning = conditioning
        self.config = config
        self.seed = seed
        self.layout = layout
        self.neighbours = neighbours
        self._text_ids: dict[int, list[int]] = {}
        self._targets = self._timed() if layout == "aligned" else range(len(shards.items))
        longest = config.max_prompt_s * shards.meta.frame_rate
        self._candidates = prompt_candidates(shards.items, longest)

    def plan(self, epoch: int) -> Sequence[Sequence[int]]:
        """Every utterance that can be a target once, in batches of similar length."""
        items = [self.shards.items[index] for index in self._targets]
        plan = plan_batches(
            [item.num_latents for item in items],
            max_total_latents=self.config.max_total_latents,
            max_batch_size=self.config.max_batch_size,
            seed=self.seed,
            epoch=epoch,
            num_buckets=self.config.num_buckets,
            names=[item.id for item in items],
        )
        return [[self._targets[place] for place in batch] for batch in plan]

    def load(self, indices: Sequence[int], seed: int) -> MixedBatch:
        """One padded batch; `seed` decides prompts, posterior noise and what is dropped."""
        generator = make_generator(seed, "tts-batch")
        prompts = [
            choose_prompt(self._candidates.get(self.shards.items[index].speaker, ()), index, seed)
            for index in indices
        ]
        self._tokenize({*indices, *(prompt for prompt in prompts if prompt is not None)})
        sequences = [
            training_sequence(
                self.speech,
                self._target(index, generator),
                None if prompt is None else self._spoken(prompt, generator),
                self.conditioning,
                generator,
            )
            for index, prompt in zip(indices, prompts, strict=True)
        ]
        return collate(sequences, (self.speech.latent_dim,))

    def _spoken(self, index: int, generator: torch.Generator) -> SpokenText:
        mu = self.shards.load(index)[None]  # (1, T, D)
        z = sample_posterior(self.posterior, mu, generator)[0]
        return SpokenText(self._text_ids[index], z)

    def _target(self, index: int, generator: torch.Generator) -> SpokenText | SpokenSymbols:
        spoken = self._spoken(index, generator)
        if self.layout == "sentence":
            return spoken
        item = self.shards.items[index]
        starts = symbol_frames(item.symbol_ends_s, self.shards.meta.frame_rate, len(spoken.latents))
        return SpokenSymbols(self._text_ids[index], starts, spoken.latents, self.neighbours)

    def _timed(self) -> list[int]:
        """The utterances with times of their symbols, one for each of the tokenizer's."""
        items = self.shards.items
        timed = {index for index, item in enumerate(items) if item.symbol_ends_s}
        self._tokenize(timed)
        fitting = [
            index
            for index in sorted(timed)
            if len(self._text_ids[index]) == len(items[index].symbol_ends_s)
        ]
        logger.info(
            "layout aligned: %d of %d utterances are targets; %d have no times, %d others not the "
            "tokenizer's symbols",
            len(fitting),
            len(items),
            len(items) - len(timed),
            len(timed) - len(fitting),
        )
        if not fitting:
            raise DataError(
                f"{self.shards.directory}: no utterance has the times of the tokenizer's symbols; "
                "make the corpus with a source that knows them (kokoro) and take the tokenizer "
                "misaki, or set model.layout to sentence"
            )
        return fitting

    def _tokenize(self, indices: set[int]) -> None:
        """Tokenises what is new, in one call: starting a phonemiser costs more than a batch."""
        missing = sorted(indices - self._text_ids.keys())
        texts = [self.shards.items[index].text for index in missing]
        self._text_ids.update(zip(missing, self.tokenizer.encode_batch(texts), strict=True))
