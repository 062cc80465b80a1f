"""Several sources of training batches as one, mixed by weight.

Weights count batches: with 2 : 1 : 1 each *round* of four batches has two of the first source and
one of each other, in random order. All items of a batch are from one source, so items that should
share batches must be in one source.

A source is read as a stream: the batches of its windows one after the other, and after the last
window its next epoch, which is shuffled differently. An epoch of the mixture is `num_windows`
windows of `rounds` rounds; at its start every source begins a new epoch of its own. So
`num_windows` should be large enough for a whole epoch of the largest source.

Where a window of the mixture begins in a source depends on the number of batches in the source's
windows before it. So to resume in the middle of an epoch, the mixture plans its earlier windows
again, but loads none of them. Memory holds one window of the mixture and one of each source.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from pydantic import Field, PositiveInt

from latentspeech.core.config import Config
from latentspeech.core.data.train_data import TrainData
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.tensors import make_generator

# More epochs of a source than an epoch of the mixture can hold. Epoch numbers only seed shuffles.
_MOST_PASSES = 2**20


class MixtureConfig(Config):
    """Proportions of the sources, and the lengths of windows and epochs."""

    weights: tuple[PositiveInt, ...] = Field(
        min_length=1, description="batches of each source in a round"
    )
    rounds: int = Field(
        100,
        ge=1,
        description="rounds a window; if the batches of a step (processes x accumulation) do not "
        "divide those of the window, the largest of them are halved until they do",
    )
    num_windows: int = Field(ge=1, description="windows an epoch of the mixture")


class MixedItem(NamedTuple):
    """An item of a batch and the index of the source that it comes from."""

    source: int
    item: Any


class MixedData:
    """Training data (`num_windows`, `plan`, `load`) mixed from several sources."""

    def __init__(self, sources: Sequence[TrainData], config: MixtureConfig, seed: int) -> None:
        """Raises ConfigError unless there is one weight for each source."""
        if len(sources) != len(config.weights):
            raise ConfigError(
                f"weights = {config.weights} for {len(sources)} sources; give one for each"
            )
        self.sources = list(sources)
        self.config = config
        self.seed = seed
        self._begin(epoch=0)

    def num_windows(self) -> int:
        """The number of windows of an epoch of the mixture."""
        return self.config.num_windows

    def plan(self, epoch: int, window: int) -> list[list[MixedItem]]:
        """The batches of a window: whole rounds, each in random order.

        Raises DataError if a source has no batches.
        """
        if epoch != self._epoch or window < self._window:
            self._begin(epoch)
        while self._window < window:
            self._next_window()
        batches = [iter(taken) for taken in self._next_window()]
        slots = torch.arange(len(self.sources)).repeat_interleave(torch.tensor(self.config.weights))
        generator = make_generator(self.seed, f"mixture/{epoch}", window)
        order = torch.rand(self.config.rounds, len(slots), generator=generator).argsort(dim=1)
        return [
            [MixedItem(source, item) for item in next(batches[source])]
            for source in slots[order].flatten().tolist()
        ]

    def load(self, items: Sequence[MixedItem], seed: int) -> Any:
        """Loads the batch with its source."""
        (source,) = {item.source for item in items}
        return self.sources[source].load([item.item for item in items], seed)

    def _begin(self, epoch: int) -> None:
        """Puts every source at the start of a new epoch of its own."""
        self._epoch, self._window = epoch, 0
        self._streams = [_Stream(source, epoch * _MOST_PASSES) for source in self.sources]

    def _next_window(self) -> list[list[Sequence[Any]]]:
        """The batches that each source gives to the next window."""
        self._window += 1
        rounds, weights = self.config.rounds, self.config.weights
        pairs = zip(self._streams, weights, strict=True)
        return [stream.take(rounds * weight) for stream, weight in pairs]


@dataclass
class _Stream:
    """The batches of a source from the start of one of its epochs on, without end."""

    source: TrainData
    epoch: int
    window: int = 0  # the window to plan next
    batches: Sequence[Sequence[Any]] = ()  # the batches of the window planned last
    index: int = 0  # the index of the next one among them

    def take(self, count: int) -> list[Sequence[Any]]:
        """The next `count` batches."""
        taken: list[Sequence[Any]] = []
        empty_windows = 0
        while len(taken) < count:
            part = self.batches[self.index : self.index + count - len(taken)]
            taken += part
            self.index += len(part)
            if len(taken) == count:
                break
            empty_windows = 0 if part else empty_windows + 1
            if empty_windows > self.source.num_windows():
                raise DataError(f"{self.source} of a mixture has no batches; leave it out")
            self.batches, self.index = self.source.plan(self.epoch, self.window), 0
            self.window += 1
            if self.window == self.source.num_windows():
                self.epoch, self.window = self.epoch + 1, 0
        return taken
