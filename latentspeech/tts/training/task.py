"""The task that trains the TTS LatentLM on batches of mixed sequences: L_LM + alpha L_diff."""

import torch
from torch import Tensor, nn

from latentspeech.core.lm.config import LatentLMConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.lm.lora import LoRAConfig, adapters, add_lora
from latentspeech.core.lm.loss import latent_lm_loss, loss_counts
from latentspeech.core.lm.mixed_batch import PADDING, MixedBatch
from latentspeech.core.train.metric_log import Mean
from latentspeech.core.train.optim import OptimizerConfig, OptimizerSpec
from latentspeech.core.train.task import Losses, Task, Unit
from latentspeech.tts.model import SPEECH


class TTSTask(Task):
    """The task has one model and one optimizer; a batch is a MixedBatch."""

    def __init__(
        self, config: LatentLMConfig, optimizer: OptimizerConfig, mean: Tensor, std: Tensor
    ) -> None:
        """Stores `mean` and `std` (D,) of the training latents in the model."""
        super().__init__()
        self.model = LatentLM(config)
        self.model.set_statistics(SPEECH, mean, std)
        self._optimizer = optimizer
        self._adapted = False

    def adapt(self, lora: LoRAConfig) -> None:
        """Adds adapters to the model; from now on only they are trained (core/lm/lora.py)."""
        add_lora(self.model, lora)
        self._adapted = True

    def optimizer_specs(self) -> dict[str, OptimizerSpec]:
        """Returns the only optimizer, which trains all trainable parameters."""
        return {"model": OptimizerSpec(self.model, self._optimizer)}

    def units(self) -> list[Unit]:
        """Returns the blocks of the backbone, and the diffusion head."""
        return [*map(Unit, self.model.backbone.layers), Unit(self.model.diffusion(SPEECH).head)]

    def training_step(
        self, batch: MixedBatch, turn: str, step: int, generator: torch.Generator
    ) -> Losses:
        """Computes the objective on one batch."""
        loss = latent_lm_loss(self.model, batch, generator)
        padding = (batch.kinds == PADDING).float().mean()
        metrics = {
            "train/diffusion": Mean(loss.diffusion[SPEECH].detach(), loss.num_latents[SPEECH]),
            "train/stop": Mean(loss.token.detach(), loss.num_tokens),
            "train/padding_share": Mean(padding, batch.kinds.numel()),
        }
        return Losses(loss.parts, metrics, "train/loss")

    def counts(self, batch: MixedBatch, turn: str) -> dict[str, Tensor]:
        """Counts the decisions and latents of a batch."""
        return loss_counts(self.model, batch)

    def validation_step(self, batch: MixedBatch, generator: torch.Generator) -> dict[str, Mean]:
        """Computes the same objective on held-out utterances."""
        loss = latent_lm_loss(self.model, batch, generator)
        return {
            "valid/diffusion": Mean(loss.diffusion[SPEECH], loss.num_latents[SPEECH]),
            "valid/stop": Mean(loss.token, loss.num_tokens),
        }

    def averaged_module(self) -> nn.Module:
        """Returns the whole model, or only the adapters if nothing else is trained."""
        return adapters(self.model) if self._adapted else self.model
