"""The task that trains any model of pages: one model, one optimizer, losses by kind of element."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from latentspeech.core.lm.mixed_batch import PADDING, MixedBatch
from latentspeech.core.train.metric_log import Mean
from latentspeech.core.train.optim import OptimizerConfig, OptimizerSpec
from latentspeech.core.train.task import Losses, Task, Unit
from latentvision.mllm.models.page_model import PageModel
from latentvision.mllm.token_kinds import token_kinds
from latentvision.training.picture_encoding import BatchEncoder


class PageTask(Task):
    """A batch is a MixedBatch of pages whose pictures are patches."""

    def __init__(self, model: PageModel, optimizer: OptimizerConfig, encoder: BatchEncoder) -> None:
        super().__init__()
        self.model = model
        self._optimizer = optimizer
        self._encoder = encoder

    def optimizer_specs(self) -> dict[str, OptimizerSpec]:
        """The only optimizer."""
        return {"model": OptimizerSpec(self.model, self._optimizer)}

    def units(self) -> list[Unit]:
        """The blocks of the model."""
        return self.model.units()

    def training_step(
        self, batch: MixedBatch, turn: str, step: int, generator: torch.Generator
    ) -> Losses:
        """The objective on one batch."""
        loss = self.model.loss(self._encoder(batch, generator), generator)
        metrics: dict[str, Tensor | Mean] = {f"train/{k}": v for k, v in loss.metrics.items()}
        padding = (batch.kinds == PADDING).float().mean()
        metrics["train/padding_share"] = Mean(padding, batch.kinds.numel())
        return Losses(loss.parts, metrics, "train/loss")

    def counts(self, batch: MixedBatch, turn: str) -> Mapping[str, Tensor]:
        """The elements of each part."""
        return self.model.counts(batch)

    def validation_step(self, batch: MixedBatch, generator: torch.Generator) -> dict[str, Mean]:
        """The objective, and the nats of a token of text, of a description and of a code."""
        batch = self._encoder(batch, generator)
        loss = self.model.loss(batch, generator)
        nats, targets = self.model.nats(batch)
        found = {f"valid/{name}": mean for name, mean in loss.metrics.items()}
        for name, where in token_kinds(batch, self.model.vocabulary)._asdict().items():
            chosen = nats[where & targets]
            if len(chosen):
                found[f"valid/{name}_nats"] = Mean(chosen.mean(), len(chosen))
        return found

    def averaged_module(self) -> nn.Module:
        """The whole model."""
        return self.model
