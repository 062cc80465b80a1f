"""The `Task` that a training run supplies beside its data: modules, optimizers and losses.

A task may own several optimizers, one for each *turn*: a codec has the turns "generator" and
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
    """The result of one turn on one batch."""

    parts: Mapping[str, Tensor]
    """Scalars whose sum is minimised, each a mean over elements of the batch.

    A step minimises the sum of their means over the elements of all its batches in all processes.
    `Task.counts` gives the number of a batch's elements of each part; a part that it does not name
    has one element a batch.
    """
    metrics: Mapping[str, Tensor | Mean]
    """Detached scalars for the log, named like "train/mel_l1"; a plain tensor counts once."""
    logged_as: str = ""
    """Name in the log of the sum that the step minimises, like "train/loss"; "": not logged."""

    @property
    def total(self) -> Tensor:
        """The sum of the parts, which a step over this batch alone minimises, a scalar."""
        return torch.stack(tuple(self.parts.values())).sum()


class Unit(NamedTuple):
    """A repeated block of the model, which can be sharded, recomputed or compiled by itself."""

    module: nn.Module
    method: str = "forward"
    """The method that the model calls; the model must not use the parameters in another way."""


class StepCall:
    """The arguments of one training step.

    This is a plain class on purpose. The distributed library converts every tree of tensors that
    passes its wrapper and refuses frozen dataclasses, but leaves other objects as they are.
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

        `strategy: fsdp`, activation checkpointing and compilation need them.
        """
        return ()

    def turns(self, step: int) -> tuple[str, ...]:
        """The turns of this step, in order. Default: all."""
        return tuple(self.optimizer_specs())

    @abstractmethod
    def training_step(self, batch: Any, turn: str, step: int, generator: torch.Generator) -> Losses:
        """Computes the losses of a turn on one batch. All noise comes from the CPU `generator`."""

    def counts(self, batch: Any, turn: str) -> Mapping[str, Tensor]:
        """The number of the batch's elements for parts of the turn's loss, by name. Default: none.

        They are scalars on the batch's device; every batch has the same names. They must depend on
        the batch alone, since a step adds them up before it computes the first loss. A task whose
        batches all have the same number of elements needs none.
        """
        return {}

    @abstractmethod
    def validation_step(
        self, batch: Any, generator: torch.Generator
    ) -> Mapping[str, float | Tensor | Mean]:
        """Computes scalars named "valid/...", which are averaged over the batches by their counts.

        It runs with the averaged weights.
        """

    @abstractmethod
    def averaged_module(self) -> nn.Module:
        """The module whose weights are averaged and exported."""

    def forward(self, call: StepCall) -> Losses:
        """Calls `training_step`. The distributed wrapper handles only calls of `forward`."""
        return self.training_step(call.batch, call.turn, call.step, call.generator)
