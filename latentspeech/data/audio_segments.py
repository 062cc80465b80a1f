"""Training data of the codec: random segments of a corpus, with random gain, polarity and speed.

Another speed moves pitch and formants together, as on a tape, which is a cheap way to more voices.

A corpus of up to `max_cache_bytes` is decoded once (audio_cache.py). Of a larger one each segment
is read from its file when it is needed, and an epoch is planned one window at a time.
B batch, T samples.
"""

import logging
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
import torchaudio
from pydantic import Field, model_validator
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.data.file_store import LocalCacheConfig
from latentspeech.core.data.windows import num_windows, shards_of_window
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.tensors import make_generator
from latentspeech.data.audio_cache import BYTES_PER_SAMPLE, AudioCache, open_audio_cache
from latentspeech.data.cut_index import CutIndex
from latentspeech.data.shar import SharCorpus, is_shar

logger = logging.getLogger(__name__)

# Resampling by p / q needs q filters; speeds finer than twentieths are not worth more filters.
_MAX_SPEED_DENOMINATOR = 20


class AudioSegmentConfig(Config):
    """How a corpus becomes batches of segments."""

    segment_s: float = Field(1.0, gt=0, description="length of a segment, seconds")
    batch_size: int = Field(16, ge=1, description="segments per batch")
    epoch_batches: int | None = Field(
        None, ge=1, description="batches per epoch; null: as many as show every cut once"
    )
    max_cache_bytes: int = Field(
        8 * 2**30, ge=0, description="largest corpus to decode to disk (2 bytes a sample); 0: none"
    )
    window_shards: int = Field(
        64, ge=1, description="shards of 1000 cuts that are shuffled together, in a larger corpus"
    )
    skip_bad: bool = Field(False, description="leave undecodable files out, with a warning")
    cache: LocalCacheConfig = Field(
        LocalCacheConfig(), description="local copies of shards that are read from a URL"
    )
    min_gain_db: float = Field(-6.0, description="lowest random gain, dB")
    max_gain_db: float = Field(
        3.0, description="highest random gain, dB; lowered where it would clip"
    )
    flip_probability: float = Field(0.5, ge=0, le=1, description="probability of a polarity flip")
    speeds: tuple[float, ...] = Field(
        (1.0,), min_length=1, description="playing speeds to choose from; 1.1 is faster and higher"
    )

    @model_validator(mode="after")
    def _check(self) -> "AudioSegmentConfig":
        if self.min_gain_db > self.max_gain_db:
            raise ValueError("min_gain_db must not exceed max_gain_db")
        if not all(0.5 <= speed <= 2 for speed in self.speeds):
            raise ValueError("speeds must be between 0.5 and 2")
        return self


class AudioSegments:
    """Implements `plan` and `load` of training data: an index is a cut, a batch is audio (B, T).

    With `valid` the order and the crops are fixed and nothing is augmented.
    """

    def __init__(
        self,
        cuts: str | Path,
        config: AudioSegmentConfig,
        sample_rate: int,
        seed: int,
        valid: bool = False,
    ) -> None:
        """`cuts` is a cuts file, or a folder or URL in lhotse's Shar format.

        Shar is read shard by shard and never decoded to disk.
        """
        self.config = config
        self.sample_rate = sample_rate
        self.segment_samples = max(1, round(config.segment_s * sample_rate))
        self.corpus: CutIndex | SharCorpus
        if is_shar(cuts):
            if config.epoch_batches is not None and not valid:
                raise ConfigError(
                    "data.epoch_batches cannot take effect on cuts in Shar format, whose epochs "
                    "are whole: remove it"
                )
            self.corpus = SharCorpus(cuts, config.cache, config.skip_bad)
            self.is_cached = False
        else:
            self.corpus = CutIndex(Path(cuts))
            total_samples = self.corpus.meta.duration_s * sample_rate
            self.is_cached = total_samples * BYTES_PER_SAMPLE <= config.max_cache_bytes
        self._seed = seed
        self._valid = valid
        self._cache: AudioCache | None = None

    def num_windows(self) -> int:
        """Windows of an epoch; one where the corpus is cached or an epoch has a given size."""
        if self._valid or self.is_cached or self.config.epoch_batches is not None:
            return 1
        return num_windows(self.corpus.num_shards, self.config.window_shards)

    def plan(self, epoch: int, window: int) -> Sequence[Sequence[int]]:
        """The batches of a window.

        Epochs of `epoch_batches` follow each other in one endless sequence of permutations, so that
        every cut is seen before any is seen again.
        """
        size = self.config.batch_size
        if self._valid:
            usable = self._usable_indices()
            order = list(usable[: size * (self.config.epoch_batches or len(usable))])
        elif self.is_cached or self.config.epoch_batches is not None:
            usable = self._usable_indices()
            batches = self.config.epoch_batches
            order = self._shuffled(
                usable, epoch, len(usable) if batches is None else batches * size
            )
        else:
            order = self._window(epoch, window)
        return [order[start : start + size] for start in range(0, len(order), size)]

    def load(self, items: Sequence[int], seed: int) -> Tensor:
        """Segments (B, T) float32 within [-1, 1]; silence follows the end of a shorter utterance.

        Where files are read directly, `skip_bad` leaves bad ones out of the batch, which is then
        smaller.
        """
        generator = make_generator(seed, "audio-segments")
        segments = []
        for index in items:
            try:
                segment = self._segment_at_speed(index, generator)
            except DataError as error:
                if not self.config.skip_bad:
                    raise
                logger.warning("left out of its batch: %s", error)
                continue
            segments.append(segment if self._valid else self._augment(segment, generator))
        if not segments:
            raise DataError(
                f"none of the {len(items)} utterances of a batch can be decoded "
                f"(first {self.corpus[items[0]].path}); make the corpus again"
            )
        return torch.stack(segments)

    def __getstate__(self) -> dict[str, Any]:
        # A loader process opens the memory map itself; pickling it would copy the corpus.
        return self.__dict__ | {"_cache": None}

    def _open(self) -> AudioCache:
        if self._cache is None:
            assert isinstance(self.corpus, CutIndex)
            self._cache = open_audio_cache(self.corpus, self.sample_rate, self.config.skip_bad)
        return self._cache

    def _window(self, epoch: int, window: int) -> list[int]:
        """The cuts of some shards, shuffled."""
        shards = shards_of_window(
            range(self.corpus.num_shards),
            self.config.window_shards,
            self._seed,
            epoch,
            window,
        )
        indices = [index for shard in shards for index in self.corpus.shard(shard)]
        generator = make_generator(self._seed, f"audio-order/{epoch}", window)
        return [indices[place] for place in torch.randperm(len(indices), generator=generator)]

    def _usable_indices(self) -> Sequence[int]:
        if isinstance(self.corpus, SharCorpus):
            shards = range(self.corpus.num_shards)
            return [index for shard in shards for index in self.corpus.shard(shard)]
        if not self.is_cached:
            return range(len(self.corpus))
        cache = self._open()
        usable = [index for index in range(len(self.corpus)) if cache.length(index)]
        if not usable:
            raise DataError(
                f"{self.corpus.cuts_path}: no utterance can be decoded; make the corpus again"
            )
        return usable

    def _shuffled(self, usable: Sequence[int], epoch: int, count: int) -> list[int]:
        """Places [epoch * count, (epoch + 1) * count) of the endless sequence."""
        order: list[int] = []
        place = epoch * count
        while len(order) < count:
            round_number, start = divmod(place + len(order), len(usable))
            generator = make_generator(self._seed, "audio-order", round_number)
            permutation = torch.randperm(len(usable), generator=generator)
            places = permutation[start : start + count - len(order)].tolist()
            order += [usable[i] for i in places]
        return order

    def _segment_at_speed(self, index: int, generator: torch.Generator) -> Tensor:
        """A crop of an utterance at one of the speeds: (T,), zero-padded at the end."""
        if self._valid:
            crop = make_generator(self._seed, "valid-crop", index)
            return self._segment(index, self.segment_samples, crop)
        choice = int(torch.randint(len(self.config.speeds), (), generator=generator))
        speed = Fraction(self.config.speeds[choice]).limit_denominator(_MAX_SPEED_DENOMINATOR)
        if speed == 1:
            return self._segment(index, self.segment_samples, generator)
        segment = self._segment(index, math.ceil(self.segment_samples * speed), generator)
        changed: Tensor = torchaudio.functional.resample(
            segment, speed.numerator, speed.denominator
        )
        return changed[: self.segment_samples].clamp(-1, 1)

    def _segment(self, index: int, num_samples: int, generator: torch.Generator) -> Tensor:
        """A crop of an utterance: (num_samples,), zero-padded at the end."""
        where = float(torch.rand((), generator=generator))
        if self.is_cached:
            cache = self._open()
            spare = max(0, cache.length(index) - num_samples)
            audio = cache.read(index, int(where * (spare + 1)), num_samples)
        else:
            duration_s = self.corpus[index].duration_s
            length_s = min(num_samples / self.sample_rate, duration_s)
            offset_s = where * (duration_s - length_s)
            audio = self.corpus.load_span(index, self.sample_rate, offset_s, length_s)
            # Resampling rounds the length up and may overshoot full scale.
            audio = audio[:num_samples].clamp(-1, 1)
        padded: Tensor = torch.nn.functional.pad(audio, (0, num_samples - len(audio)))
        return padded

    def _augment(self, segment: Tensor, generator: torch.Generator) -> Tensor:
        level, flip = torch.rand(2, generator=generator).tolist()
        low, high = self.config.min_gain_db, self.config.max_gain_db
        gain = 10 ** ((low + level * (high - low)) / 20)
        loudest = float(segment.abs().max())
        if gain > 1:
            gain = max(1.0, min(gain, 1 / max(loudest, 1e-9)))
        return segment * (-gain if flip < self.config.flip_probability else gain)
