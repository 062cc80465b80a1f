"""Batches for the TTS task: sampled latents, tokenised text, a prompt of the same speaker.

The model trains on z = mu + |sigma| eps, where input and target are the same sample (paper 4.3);
prompts at inference are means.

Batches are planned for one window of shards at a time; prompts are other utterances of the same
window. So the planning process holds one window in memory, and a loader process only what its
batches need.
"""

import logging
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.data.bucketing import plan_batches, plan_packed
from latentspeech.core.data.file_store import LocalCacheConfig
from latentspeech.core.data.latent_format import LatentItem
from latentspeech.core.data.latent_shards import DamagedShardError, LatentShards
from latentspeech.core.data.windows import num_windows, shards_of_window
from latentspeech.core.errors import DataError
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.latents.sigma_vae import sample_posteriors
from latentspeech.core.lm.mixed_batch import MixedBatch, collate, pack
from latentspeech.core.lm.mixed_sequence import MixedSequence, num_elements
from latentspeech.core.seeds import derive_seed
from latentspeech.core.tensors import make_generator
from latentspeech.data.prompt_pairs import choose_prompt, prompt_candidates
from latentspeech.data.speech_latents import frame_rate_of, symbol_ends_of
from latentspeech.text.tokenizers import Tokenizer
from latentspeech.tts.layouts.aligned import symbol_frames
from latentspeech.tts.layouts.layout import ConditioningConfig, Layout, SpokenText
from latentspeech.tts.training.tokenized_texts import TokenizedTexts

logger = logging.getLogger(__name__)


class TTSDataConfig(Config):
    """Sizes of a batch, and how the shards are read."""

    max_total_latents: int = Field(
        1200, ge=1, description="most latents in a batch: targets with padding; packed: prompts too"
    )
    max_batch_size: int = Field(64, ge=1, description="most utterances in a batch")
    num_buckets: int = Field(10, ge=1, description="number of length classes of padded batches")
    max_prompt_s: float = Field(8.0, gt=0, description="longest prompt, seconds")
    packing: bool = Field(
        False, description="put several utterances, which never see each other, into one row"
    )
    pack_length: int = Field(2048, ge=1, description="elements of a packed row")
    window_shards: int = Field(64, ge=1, description="number of shards that are shuffled together")
    skip_bad: bool = Field(False, description="leave damaged shards out, with a warning")
    cache: LocalCacheConfig = Field(
        LocalCacheConfig(), description="local copies of shards that are read from a URL"
    )


class Target(NamedTuple):
    """An utterance to train on, and the utterance that serves as its prompt, if any."""

    utterance: int
    prompt: int | None


class TTSTrainingData:
    """The training protocol (`num_windows`, `plan`, `load`) over latent shards."""

    def __init__(
        self,
        shards: LatentShards,
        tokenizer: Tokenizer,
        layout: Layout,
        posterior: SigmaVAEConfig,
        conditioning: ConditioningConfig,
        config: TTSDataConfig,
        seed: int,
    ) -> None:
        """DataError if the layout needs the times of symbols and no utterance has them."""
        self.shards = shards
        self.texts = TokenizedTexts(shards, tokenizer)
        self.layout = layout
        self.posterior = posterior
        self.conditioning = conditioning
        self.config = config
        self.seed = seed
        if layout.needs_symbol_times:
            self.plan(0, 0)  # raises here instead of after the start

    def num_windows(self) -> int:
        """Returns the number of windows in an epoch."""
        return num_windows(len(self.shards.shards), self.config.window_shards)

    def plan(self, epoch: int, window: int) -> Sequence[Sequence[Target]]:
        """Puts every utterance of the window that can be a target into one batch.

        The utterances of a padded batch have similar lengths, those of a packed batch any lengths.
        """
        indices, items = self._window(epoch, window)
        candidates = prompt_candidates(items, self.config.max_prompt_s * self._frame_rate)
        places = (
            self._timed(indices, items) if self.layout.needs_symbol_times else range(len(items))
        )
        prompts = [
            choose_prompt(candidates.get(items[place].group, ()), place, self.seed, epoch)
            for place in places
        ]
        targets = [
            Target(indices[place], None if prompt is None else indices[prompt])
            for place, prompt in zip(places, prompts, strict=True)
        ]
        lengths = [items[place].num_latents for place in places]
        names = [items[place].id for place in places]
        seed = derive_seed(self.seed, "window", window)
        limit, max_size = self.config.max_total_latents, self.config.max_batch_size
        if self.config.packing:
            beside = [0 if prompt is None else items[prompt].num_latents for prompt in prompts]
            lengths = [sum(pair) for pair in zip(lengths, beside, strict=True)]
            plan = plan_packed(lengths, limit, max_size, seed, epoch, names)
        else:
            num_buckets = self.config.num_buckets
            plan = plan_batches(lengths, limit, max_size, seed, epoch, num_buckets, names)
        return [[targets[number] for number in batch] for batch in plan]

    def load(self, items: Sequence[Target], seed: int) -> MixedBatch:
        """Loads a batch, padded or packed; `seed` decides posterior noise and hidden conditions."""
        generator = make_generator(seed, "tts-batch")
        read: list[Target] = []
        means: list[Tensor] = []
        for target in items:
            try:
                means += [self.shards.load(index) for index in target if index is not None]
                read.append(target)
            except DamagedShardError as error:
                if not self.config.skip_bad:
                    raise
                logger.warning("an utterance is left out of its batch: %s", error)
        if not read:
            raise DataError(f"{self.shards}: none of the {len(items)} utterances can be read")
        latents = iter(sample_posteriors(self.posterior, means, generator))
        sequences = [self._sequence(target, latents, generator) for target in read]
        if self.config.packing:
            return pack(sequences, (self.layout.speech.latent_dim,), self.config.pack_length)
        return collate(sequences, (self.layout.speech.latent_dim,))

    @property
    def _frame_rate(self) -> float:
        return frame_rate_of(self.shards.meta)

    def _window(self, epoch: int, window: int) -> tuple[list[int], list[LatentItem]]:
        """Returns the utterances of a window that have latents: ascending indices, and items."""
        indices: list[int] = []
        items: list[LatentItem] = []
        for shard in shards_of_window(
            self.shards.shards, self.config.window_shards, self.seed, epoch, window
        ):
            first = shard * self.shards.meta.shard_size
            for index, item in enumerate(self.shards.items(shard), start=first):
                if item.num_latents:
                    indices.append(index)
                    items.append(item)
        return indices, items

    def _sequence(
        self, target: Target, latents: Iterator[Tensor], generator: torch.Generator
    ) -> MixedSequence:
        """Builds the sequence of a target and its prompt, if any; consumes their `latents`."""
        spoken = SpokenText(self.texts[target.utterance], next(latents))
        starts = self._symbol_starts(target.utterance, spoken)
        prompt = None
        if target.prompt is not None:
            prompt = SpokenText(self.texts[target.prompt], next(latents))
        while True:
            sequence = self.layout.training_sequence(
                spoken, starts, prompt, self.conditioning, generator
            )
            length = num_elements(sequence)
            if not self.config.packing or length <= self.config.pack_length:
                return sequence
            if prompt is None:
                name = self.shards.item(target.utterance).id
                raise DataError(
                    f"cut {name} makes {length} elements of text and latents; expected at "
                    f"most data.pack_length, {self.config.pack_length}: raise that or leave it out"
                )
            prompt = None  # the target may fit without a prompt

    def _symbol_starts(self, index: int, spoken: SpokenText) -> list[int] | None:
        """Returns the frame in which each symbol begins; None if the layout does not need it."""
        if not self.layout.needs_symbol_times or spoken.text_ids is None:
            return None
        ends_s = symbol_ends_of(self.shards.item(index))
        return symbol_frames(ends_s, self._frame_rate, len(spoken.latents))

    def _timed(self, indices: Sequence[int], items: Sequence[LatentItem]) -> list[int]:
        """Returns the places of utterances with one time for each of the tokenizer's symbols."""
        timed = [place for place, item in enumerate(items) if symbol_ends_of(item)]
        fitting = [
            place
            for place in timed
            if len(self.texts[indices[place]] or ()) == len(symbol_ends_of(items[place]))
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
                f"{self.shards}: no utterance has the times of the tokenizer's symbols; "
                "make the corpus with a source that knows them (kokoro) and take the tokenizer "
                "misaki, or set model.layout to sentence"
            )
        return fitting
