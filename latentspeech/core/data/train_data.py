"""What training data must supply, whatever they are: batches planned a window ahead."""

from collections.abc import Sequence
from typing import Any, Protocol


class TrainData(Protocol):
    """Batches planned a window ahead. It travels to loader processes, so it must be picklable.

    An epoch is `num_windows()` windows, one after the other; what a plan needs to know of the
    corpus is read for one window, so that a corpus of any size takes the same memory.
    """

    def num_windows(self) -> int:
        """How many parts an epoch has, the same for every epoch."""

    def plan(self, epoch: int, window: int) -> Sequence[Sequence[Any]]:
        """The items of all batches of a window, the same at every call and in every process."""

    def load(self, items: Sequence[Any], seed: int) -> Any:
        """The batch of these items, a tree of tensors; `seed` drives augmentation."""
