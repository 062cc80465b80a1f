"""The task that trains any generator of images: one model, one optimizer, one loss."""

from typing import Any

import torch
from torch import Tensor, nn

from latentspeech.core.train.metric_log import Mean
from latentspeech.core.train.optim import OptimizerConfig, OptimizerSpec
from latentspeech.core.train.task import Losses, Task, Unit
from latentvision.generation.generator import ImageGenerator
from latentvision.generation.space import ImageBatch

PART = "generator"


class GeneratorTask(Task):
    """A batch is an `ImageBatch`; the loss is a mean over its images."""

    def __init__(self, model: ImageGenerator, optimizer: OptimizerConfig) -> None:
        super().__init__()
        self.model = model
        self._optimizer = optimizer

    def optimizer_specs(self) -> dict[str, OptimizerSpec]:
        """The only optimizer."""
        return {"model": OptimizerSpec(self.model, self._optimizer)}

    def units(self) -> list[Unit]:
        """The blocks of the model."""
        return self.model.units()

    def training_step(
        self, batch: ImageBatch, turn: str, step: int, generator: torch.Generator
    ) -> Losses:
        """The model's loss on one batch."""
        return Losses({PART: self.model.loss(batch, generator)}, {}, "train/loss")

    def counts(self, batch: ImageBatch, turn: str) -> dict[str, Tensor]:
        """The number of images."""
        return {PART: torch.tensor(len(batch.labels), device=batch.labels.device)}

    def validation_step(self, batch: Any, generator: torch.Generator) -> dict[str, Mean]:
        """The same loss on held-out images."""
        return {"valid/loss": Mean(self.model.loss(batch, generator), len(batch.labels))}

    def averaged_module(self) -> nn.Module:
        """The whole model."""
        return self.model
