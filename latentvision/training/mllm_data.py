"""The data of a run of a model of pages: sources mixed by weight, and those of validation.

N latents of a picture, D latent size.
"""

import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from PIL import Image
from pydantic import Field, PositiveInt
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.data.mixture import MixedData, MixtureConfig
from latentspeech.core.data.train_data import TrainData
from latentspeech.core.errors import DataError
from latentspeech.core.latents.normalizer import RunningMoments
from latentspeech.core.tensors import make_generator
from latentvision.mllm.batches import PageBatchConfig, PageBatches
from latentvision.mllm.documents.config import PageSourceConfig, open_pages
from latentvision.mllm.documents.page import Picture
from latentvision.mllm.documents.source import PageSource
from latentvision.mllm.pictures import PictureEncoder
from latentvision.mllm.sequence import PageSequences
from latentvision.training.generator_data import one_scale


class WeightedPages(Config):
    """A source of pages and its share of the training."""

    pages: PageSourceConfig = Field(description="the pages")
    weight: PositiveInt = Field(1, description="batches of it in a round; the paper has 2 : 1 : 1")


class PageDataConfig(PageBatchConfig):
    """Pages to train and validate on, and how they become batches."""

    train_sources: tuple[WeightedPages, ...] = Field(
        min_length=1, description="text, pairs, interleaved pages and others, mixed by weight"
    )
    valid_sources: tuple[PageSourceConfig, ...] = Field(
        min_length=1, description="pages kept aside, read one source after the other"
    )
    rounds: int = Field(100, ge=1, description="rounds of the weights in a window")
    num_windows: int = Field(100, ge=1, description="windows an epoch of the mixture")
    statistics_pictures: int = Field(
        256, ge=2, description="training pictures that the scale of latents is measured on"
    )


def training_data(config: PageDataConfig, sequences: PageSequences, seed: int) -> MixedData:
    """The mixture of the training sources."""
    sources = [
        PageBatches(open_pages(source.pages), sequences, config, seed)
        for source in config.train_sources
    ]
    mixture = MixtureConfig(
        weights=tuple(source.weight for source in config.train_sources),
        rounds=config.rounds,
        num_windows=config.num_windows,
    )
    return MixedData(sources, mixture, seed)


def validation_data(config: PageDataConfig, sequences: PageSequences, seed: int) -> "ChainedData":
    """The first pages of each source kept aside."""
    return ChainedData(
        [
            PageBatches(open_pages(source), sequences, config, seed, valid=True)
            for source in config.valid_sources
        ]
    )


class _ChainedItem(NamedTuple):
    source: int
    item: Any


class ChainedData:
    """Training data (`num_windows`, `plan`, `load`) of several sources, one after the other."""

    def __init__(self, sources: Sequence[TrainData]) -> None:
        self._sources = list(sources)

    def num_windows(self) -> int:
        """The windows of all sources."""
        return sum(source.num_windows() for source in self._sources)

    def plan(self, epoch: int, window: int) -> list[list[_ChainedItem]]:
        """The batches of a window of the source that it belongs to."""
        for number, source in enumerate(self._sources):
            if window < source.num_windows():
                batches = source.plan(epoch, window)
                return [[_ChainedItem(number, item) for item in batch] for batch in batches]
            window -= source.num_windows()
        raise IndexError(f"window {window} after the last one")

    def load(self, items: Sequence[_ChainedItem], seed: int) -> Any:
        """Loads the batch with its source."""
        return self._sources[items[0].source].load([item.item for item in items], seed)


def picture_statistics(
    sources: Sequence[PageSource], encoder: PictureEncoder, most: int, seed: int
) -> tuple[Tensor, Tensor]:
    """One mean and one deviation (D,) of the latents of the first `most` pictures, sampled.

    The sources take turns, so that each has its share.

    Raises:
        DataError: there are fewer than two pictures, or their latents do not vary.
    """
    moments = RunningMoments.empty(*encoder.latent_dims)
    generator = make_generator(seed, "statistics")
    pictures = itertools.islice(_in_turns([_pictures(source) for source in sources]), most)
    while some := [encoder.shrink(picture) for picture in itertools.islice(pictures, 32)]:
        moments.update(encoder.encode(some, generator).flatten(0, 1))
    if moments.count <= encoder.num_latents:
        raise DataError(
            "the training pages have fewer than two pictures that can be read; expected pictures, "
            "to measure the scale of their latents: give a source of pairs or interleaved pages"
        )
    normalizer = moments.to_normalizer()
    return one_scale(normalizer.mean, normalizer.std)


def _pictures(source: PageSource) -> Iterator[Image.Image]:
    """All pictures of a source that can be read."""
    for number in range(source.num_shards):
        for index in source.shard(number):
            if not source.size(index).num_pictures:
                continue
            for part in source.page(index).parts:
                if isinstance(part, Picture):
                    try:
                        yield part.decode()
                    except DataError:
                        continue


def _in_turns(streams: Sequence[Iterator[Image.Image]]) -> Iterator[Image.Image]:
    """One of each stream, then the next of each, until all are at their end."""
    for row in itertools.zip_longest(*streams):
        yield from (picture for picture in row if picture is not None)
