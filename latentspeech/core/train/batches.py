"""The batches of one process: planned a window at a time, loaded ahead, resumed without skipping.

An epoch is a sequence of windows, each planned by itself, so memory does not grow with the corpus.
A worker takes a planned batch (its items and a seed) and returns it loaded. The position in the
data is three numbers, epoch, window and index, so a resumed run need not read the data before it.
"""

import gc
import itertools
import os
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from latentspeech.core.data.train_data import TrainData
from latentspeech.core.errors import DataError
from latentspeech.core.seeds import derive_seed
from latentspeech.core.tensors import map_tensors
from latentspeech.core.train.processes.stop import prepare_loader


class PlannedBatch(NamedTuple):
    """One batch of this process before it is loaded."""

    epoch: int
    window: int
    position: int
    """Index among this process's batches of the window."""
    items: list[Any]
    seed: int


class Plan(Sampler[PlannedBatch]):
    """This process's share of the plan: every `world_size`-th batch of each window.

    All processes get the same number of batches, and together they see every item once an epoch: a
    window's largest batches are halved until the processes can share them equally. `accumulation`
    is the number of batches that each process takes in a step. No step crosses the end of a window,
    so the steps depend on processes x accumulation alone.
    """

    def __init__(
        self,
        data: TrainData,
        seed: int,
        rank: int = 0,
        world_size: int = 1,
        accumulation: int = 1,
        stream: str = "data",
    ) -> None:
        self._data = data
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._accumulation = accumulation
        self._stream = stream
        self._epoch = self._window = self._index = 0

    def start_at(self, epoch: int, window: int, index: int) -> None:
        """Sets where the next iteration begins; it continues through the epochs without end."""
        self._epoch, self._window, self._index = epoch, window, index

    def share(self, epoch: int, window: int, even: bool = True) -> list[PlannedBatch]:
        """This process's batches of a window; with `even`, all processes have the same number."""
        batches = self._data.plan(epoch, window)
        if even:
            batches = _split_to_multiple(
                batches, self._world_size * self._accumulation, f"window {window} of epoch {epoch}"
            )
        places = range(self._rank, len(batches), self._world_size)
        return [
            PlannedBatch(
                epoch=epoch,
                window=window,
                position=position,
                items=list(batches[place]),
                seed=derive_seed(self._seed, f"{self._stream}/{epoch}/{window}", place),
            )
            for position, place in enumerate(places)
        ]

    def whole_epoch(self, epoch: int) -> list[PlannedBatch]:
        """This process's uneven share of all windows, for validation data."""
        windows = range(self._data.num_windows())
        return [planned for window in windows for planned in self.share(epoch, window, even=False)]

    def __iter__(self) -> Iterator[PlannedBatch]:
        num_windows = self._data.num_windows()
        first_window, first = self._window, self._index
        for epoch in itertools.count(self._epoch):
            count = 0
            for window in range(first_window, num_windows):
                share = self.share(epoch, window)
                count += len(share)
                yield from share[first:]
                first = 0
            if not count and first_window == 0:
                raise DataError(f"epoch {epoch} of the training data has no items; make more data")
            first_window = first = 0


def _split_to_multiple(
    batches: Sequence[Sequence[Any]], multiple: int, name: str
) -> Sequence[Sequence[Any]]:
    """Halves the largest batches, in their places, until `multiple` divides their number."""
    missing = -len(batches) % multiple
    if not missing:
        return batches
    num_items = sum(map(len, batches))
    if num_items < len(batches) + missing:
        raise DataError(
            f"{name} has {num_items} items in {len(batches)} batches, which cannot be shared by "
            f"{multiple} batches a step (processes x accumulation); expected at least "
            f"{len(batches) + missing} items: use fewer processes, larger windows or more data"
        )
    pieces = list(batches)
    for _ in range(missing):
        place = max(range(len(pieces)), key=lambda at: len(pieces[at]))
        largest = pieces[place]
        half = (len(largest) + 1) // 2
        pieces[place : place + 1] = [largest[:half], largest[half:]]
    return pieces


class _Loaded(Dataset[Any]):
    """Maps a planned batch to (planned batch, loaded batch or the ValueError of loading it)."""

    def __init__(self, data: TrainData) -> None:
        self._data = data

    def __getitem__(self, planned: PlannedBatch) -> tuple[PlannedBatch, Any]:
        try:
            return planned, self._data.load(planned.items, planned.seed)
        except ValueError as error:
            # Returned as a value, since the loader would wrap it in a long worker traceback.
            return planned, error


def load_batches(
    data: TrainData, plan: Plan | list[PlannedBatch], num_workers: int, device: torch.device
) -> Iterator[tuple[PlannedBatch, Any]]:
    """Yields each planned batch with its content on `device`; workers, if any, load ahead."""
    loader: DataLoader[Any] = DataLoader(
        _Loaded(data),
        sampler=plan,
        batch_size=None,
        num_workers=num_workers,
        prefetch_factor=4 if num_workers else None,
        collate_fn=_unchanged,
        worker_init_fn=partial(_prepare, os.getpid()),
        pin_memory=device.type == "cuda",
    )
    for planned, batch in loader:
        if isinstance(batch, ValueError):
            raise batch
        yield planned, map_tensors(partial(_move, device=device), batch)


def _prepare(trainer: int, worker: int) -> None:
    prepare_loader(trainer, worker)
    # The trainer's objects are never garbage here. To search them would slow loading down and write
    # to memory pages that are otherwise shared.
    gc.freeze()


def _move(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.to(device, non_blocking=True)


def _unchanged(item: Any) -> Any:
    return item
