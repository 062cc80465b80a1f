"""The stream of batches of one process: planned, loaded ahead by workers, resumable in O(1).

A worker is handed a planned batch (item indices and a seed) and returns it loaded, so the position
in the data is two numbers, epoch and index, and nothing has to be skipped on resume.
"""

import itertools
import os
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from latentspeech.core.errors import DataError
from latentspeech.core.tensors import derive_seed, map_tensors
from latentspeech.core.train.stop import prepare_loader
from latentspeech.core.train.task import TrainData


class PlannedBatch(NamedTuple):
    """One batch of this process before it is loaded."""

    epoch: int
    position: int
    """Place among this process's batches of the epoch."""
    items: list[int]
    seed: int


class Plan(Sampler[PlannedBatch]):
    """This process's share of the plan: every `world_size`-th batch, as many as the others have."""

    def __init__(
        self, data: TrainData, seed: int, rank: int = 0, world_size: int = 1, stream: str = "data"
    ) -> None:
        self._data = data
        self._seed = seed
        self._rank = rank
        self._world_size = world_size
        self._stream = stream
        self._epoch = 0
        self._index = 0

    def start_at(self, epoch: int, index: int) -> None:
        """The next iteration begins here and goes on through the epochs without end."""
        self._epoch, self._index = epoch, index

    def share(self, epoch: int, even: bool = True) -> list[PlannedBatch]:
        """This process's batches of an epoch; uneven shares keep the plan's last few too."""
        plan = self._data.plan(epoch)
        places = range(self._rank, len(plan), self._world_size)
        count = len(plan) // self._world_size if even else len(places)
        return [
            PlannedBatch(
                epoch=epoch,
                position=position,
                items=[int(item) for item in plan[place]],
                seed=derive_seed(self._seed, f"{self._stream}/{epoch}", place),
            )
            for position, place in enumerate(places[:count])
        ]

    def __iter__(self) -> Iterator[PlannedBatch]:
        first = self._index
        for epoch in itertools.count(self._epoch):
            share = self.share(epoch)
            if not share:
                raise DataError(
                    f"epoch {epoch} has fewer batches than the {self._world_size} processes of "
                    "this run; use fewer processes, smaller batches or more data"
                )
            yield from share[first:]
            first = 0


class _Loaded(Dataset[Any]):
    """Maps a planned batch to (planned batch, loaded batch or the user error that loading met)."""

    def __init__(self, data: TrainData) -> None:
        self._data = data

    def __getitem__(self, planned: PlannedBatch) -> tuple[PlannedBatch, Any]:
        try:
            return planned, self._data.load(planned.items, planned.seed)
        except ValueError as error:
            # Handed over as a value: the loader would wrap it in a page of worker traceback.
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
        worker_init_fn=partial(prepare_loader, os.getpid()),
        pin_memory=device.type == "cuda",
    )
    for planned, batch in loader:
        if isinstance(batch, ValueError):
            raise batch
        yield planned, map_tensors(partial(_move, device=device), batch)


def _move(tensor: Tensor, device: torch.device) -> Tensor:
    return tensor.to(device, non_blocking=True)


def _unchanged(item: Any) -> Any:
    return item
