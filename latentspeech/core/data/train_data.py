"""The protocol of all training data: batches planned a window ahead."""

from collections.abc import Sequence
from typing import Any, Protocol


class TrainData(Protocol):
    """Batches planned a window ahead. Loader processes receive a copy, so it must be picklable.

    An epoch is `num_windows()` windows, one after the other. A plan reads only the facts that it
    needs of one window, so a corpus of any size takes the same memory.
    """

    def num_windows(self) -> int:
        """The number of windows of an epoch, the same for every epoch."""

    def plan(self, epoch: int, window: int) -> Sequence[Sequence[Any]]:
        """The items of all batches of a window, the same at every call and in every process."""

    def load(self, items: Sequence[Any], seed: int) -> Any:
        """Loads the batch of these items, a tree of tensors; `seed` is that of augmentation."""
