"""What a training run must supply beside its data: a `Task` (modules, optimizers, losses).

A task may own several optimizers, one a *turn*: a codec has the turns "generator" and
"discriminator". The engine runs the turns of a step one after the other over the same batches.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from latentspeech.core.train.metric_log import Mean
from latentspeech.core.train.optim import OptimizerSpec


class Losses(NamedTuple):
    """What one turn computed on one batch."""

    parts: Mapping[str, Tensor]
    """Scalars whose sum is minimised, each a mean over elements of the batch.

    A step minimises the sum of their means over the elements of all its batches, those of every
    process. How many elements a batch has of each part is what `Task.counts` says; a part that it
    does not name has one a batch.
    """
    metrics: Mapping[str, Tensor | Mean]
    """Detached scalars for the log, named like "train/mel_l1"; without a count, one a batch."""
    logged_as: str = ""
    """Name under which the log shows what the step minimises, like "train/loss"; empty: not."""

    @property
    def total(self) -> Tensor:
        """What a step over this batch alone minimises, a scalar."""
        return torch.stack(tuple(self.parts.values())).sum()


class Unit(NamedTuple):
    """A block that repeats: sharded, recomputed and compiled by itself, each where asked for."""

    module: nn.Module
    method: str = "forward"
    """What the model calls it by; its parameters are not to be used in any other way."""


class StepCall:
    """The arguments of one training step.

    A plain class on purpose: the distributed library converts every tree of tensors that passes its
    wrapper (and refuses frozen dataclasses); it leaves this one alone.
    """

    def __init__(self, batch: Any, turn: str, step: int, generator: torch.Generator) -> None:
        self.batch = batch
        self.turn = turn
        self.step = step
        self.generator = generator


class Task(nn.Module, ABC):
    """Modules, optimizers, training step and validation of one kind of training."""

    @abstractmethod
    def optimizer_specs(self) -> Mapping[str, OptimizerSpec]:
        """Turn name -> the module whose parameters it owns and how they are optimized.

        Every parameter that requires a gradient belongs to exactly one turn.
        """

    def units(self) -> Sequence[Unit]:
        """The blocks that make up most of the model, in order of use. Default: none.

        Without them there is no `strategy: fsdp`, no activation checkpointing and no compilation.
        """
        return ()

    def turns(self, step: int) -> tuple[str, ...]:
        """Which turns are taken at this step, in order. Default: all."""
        return tuple(self.optimizer_specs())

    @abstractmethod
    def training_step(self, batch: Any, turn: str, step: int, generator: torch.Generator) -> Losses:
        """Losses of one turn on one batch. All noise comes from `generator` (a CPU generator)."""

    def counts(self, batch: Any, turn: str) -> Mapping[str, Tensor]:
        """Elements of the batch that parts of the turn's loss are means over. Default: none named.

        Scalars on the batch's device; the same names for every batch. They must follow from the
        batch alone, since a step adds them up before it computes the first loss. A task whose
        batches all have equally many elements needs none.
        """
        return {}

    @abstractmethod
    def validation_step(
        self, batch: Any, generator: torch.Generator
    ) -> Mapping[str, float | Tensor | Mean]:
        """Scalars named "valid/...", averaged over the batches by their counts.

        Runs on the averaged weights.
        """

    @abstractmethod
    def averaged_module(self) -> nn.Module:
        """The module whose weights are averaged and exported."""

    def forward(self, call: StepCall) -> Losses:
        """The door of the distributed wrapper, which only sees calls of `forward`."""
        return self.training_step(call.batch, call.turn, call.step, call.generator)
