"""The task that trains a classifier of images: cross entropy, one optimizer."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.train.metric_log import Mean
from latentspeech.core.train.optim import OptimizerConfig, OptimizerSpec
from latentspeech.core.train.task import Losses, Task
from latentvision.data.labelled_batches import LabelledImages
from latentvision.eval.classifier import Classifier

PART = "cross_entropy"


class ClassifierTask(Task):
    """A batch is `LabelledImages`; the loss is a mean over its images."""

    def __init__(self, network: Classifier, optimizer: OptimizerConfig) -> None:
        super().__init__()
        self.model = network
        self._optimizer = optimizer

    def optimizer_specs(self) -> dict[str, OptimizerSpec]:
        """The only optimizer."""
        return {"model": OptimizerSpec(self.model, self._optimizer)}

    def training_step(
        self, batch: LabelledImages, turn: str, step: int, generator: torch.Generator
    ) -> Losses:
        """The cross entropy of one batch."""
        logits = self.model(batch.images)  # (B, C)
        accuracy = (logits.detach().argmax(dim=1) == batch.labels).float().mean()
        loss = functional.cross_entropy(logits, batch.labels)
        metrics = {"train/accuracy": Mean(accuracy, len(batch.labels))}
        return Losses({PART: loss}, metrics, "train/loss")

    def counts(self, batch: LabelledImages, turn: str) -> dict[str, Tensor]:
        """The number of images."""
        return {PART: torch.tensor(len(batch.labels), device=batch.labels.device)}

    def validation_step(self, batch: LabelledImages, generator: torch.Generator) -> dict[str, Mean]:
        """Cross entropy and accuracy on test pictures."""
        logits = self.model(batch.images)
        right = (logits.argmax(dim=1) == batch.labels).float().mean()
        count = len(batch.labels)
        loss = functional.cross_entropy(logits, batch.labels)
        return {"valid/loss": Mean(loss, count), "valid/accuracy": Mean(right, count)}

    def averaged_module(self) -> nn.Module:
        """The whole network."""
        return self.model
