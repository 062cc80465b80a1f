"""The training of all tokenizers: reconstruction, perception, regulariser, later a discriminator.

    L = L_pixels + p L_perceptual + regulariser + a w L_adversarial

"Following LDM and VQGAN" (paper H.2): LPIPS and a hinge PatchGAN with VQGAN's adaptive weight w,
which begins late. The pixels' loss is the squared error of the paper's equation, or VQGAN's
absolute one. Weights are not in the paper; the defaults are LDM's (Rombach et al. 2022, arXiv
2112.10752). The regulariser is the posterior's: sigma-VAE, learned variance and VQ share this task.

Before `discriminator_start_step` only the generator has a turn; from then on the discriminator
goes first.

B images, S image size.
"""

from typing import Any, Literal, NamedTuple, Self

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.config import Config
from latentspeech.core.gan import hinge_discriminator_loss, hinge_generator_loss
from latentspeech.core.train.optim import OptimizerConfig, OptimizerSpec, layer_decay
from latentspeech.core.train.task import Losses, Task, Unit
from latentvision.tokenizer.discriminator import PatchDiscriminator, PatchDiscriminatorConfig
from latentvision.tokenizer.losses.adaptive_weight import adaptive_weight
from latentvision.tokenizer.losses.perceptual import PerceptualConfig, build_perceptual_loss
from latentvision.tokenizer.model import Tokenizer, TokenizerConfig
from latentvision.tokenizer.posterior import Drawn
from latentvision.tokenizer.vit import ViTBlock


class TokenizerLossConfig(Config):
    """Weights of the tokenizer's losses, and when the adversarial one begins."""

    pixels: Literal["l2", "l1"] = Field("l2", description="mean squared or absolute difference")
    pixel_weight: float = Field(1.0, ge=0, description="weight of the pixels' loss")
    perceptual: PerceptualConfig | None = Field(None, description="perceptual loss; null: none")
    perceptual_weight: float = Field(1.0, ge=0, description="weight of the perceptual loss")
    adversarial_weight: float = Field(0.5, ge=0, description="weight of the adversarial loss")
    adaptive: bool = Field(True, description="also weight it by VQGAN's ratio of gradients")
    discriminator_start_step: int | None = Field(
        50_000, ge=0, description="first step with the discriminator; null: never"
    )
    discriminator: PatchDiscriminatorConfig = Field(
        PatchDiscriminatorConfig(), description="sizes of the discriminator"
    )


class TokenizerOptimConfig(Config):
    """How both networks learn; the defaults are the paper's (H.2) with a constant rate."""

    tokenizer: OptimizerConfig = Field(
        OptimizerConfig(lr=3e-4, betas=(0.0, 0.99), weight_decay=0.01), description="the tokenizer"
    )
    discriminator: OptimizerConfig = Field(
        OptimizerConfig(lr=3e-4, betas=(0.0, 0.99)), description="the discriminator"
    )
    encoder_layer_decay: float = Field(
        1.0,
        gt=0,
        le=1,
        description="factor of the encoder's learning rate from each block to the one before it; "
        "the paper has 0.65 with an encoder from BEiT-3",
    )


class TokenizerTaskConfig(Config):
    """Everything that the task depends on."""

    tokenizer: TokenizerConfig = Field(TokenizerConfig(), description="the model")
    loss: TokenizerLossConfig = Field(TokenizerLossConfig(), description="losses and weights")
    optim: TokenizerOptimConfig = Field(TokenizerOptimConfig(), description="optimizers")

    @model_validator(mode="after")
    def _discriminator_fits(self) -> Self:
        size, judge = self.tokenizer.image_size, self.loss.discriminator
        start = self.loss.discriminator_start_step
        if start is not None and judge.logits_per_side(size) < 1:
            raise ValueError(
                f"a discriminator of {judge.num_layers} layers has no logit on images of {size} "
                "pixels; lower loss.discriminator.num_layers or set "
                "loss.discriminator_start_step: null"
            )
        return self


class _Reconstruction(NamedTuple):
    drawn: Drawn
    last_input: Tensor  # (B, N, W), the input of the decoder's last matrix
    patches: Tensor  # (B, N, 3 P P), its output
    images: Tensor  # (B, 3, S, S), the same pixels


class TokenizerTask(Task):
    """Owns a tokenizer, its discriminator and their optimizers; a batch is images (B, 3, S, S)."""

    def __init__(self, config: TokenizerTaskConfig) -> None:
        super().__init__()
        self.config = config
        self.loss = config.loss
        self.tokenizer = Tokenizer(config.tokenizer)
        self.discriminator: PatchDiscriminator | None = None
        if self.loss.discriminator_start_step is not None:
            self.discriminator = PatchDiscriminator(self.loss.discriminator)
        self.perceptual: nn.Module | None = None
        if self.loss.perceptual is not None:
            self.perceptual = build_perceptual_loss(
                self.loss.perceptual, config.tokenizer.image_size
            )

    def optimizer_specs(self) -> dict[str, OptimizerSpec]:
        """The discriminator learns before the generator in each step."""
        optim = self.config.optim
        factors = {}
        if optim.encoder_layer_decay < 1:
            blocks = [
                f"encoder.vit.layers.{i}" for i in range(len(self.tokenizer.encoder.vit.layers))
            ]
            factors = layer_decay(["encoder.embedding", *blocks], optim.encoder_layer_decay)
        specs = {"generator": OptimizerSpec(self.tokenizer, optim.tokenizer, factors)}
        if self.discriminator is not None:
            specs = {
                "discriminator": OptimizerSpec(self.discriminator, optim.discriminator)
            } | specs
        return specs

    def units(self) -> list[Unit]:
        """The blocks of both ViTs, and the discriminator."""
        blocks = [Unit(m) for m in self.tokenizer.modules() if isinstance(m, ViTBlock)]
        return blocks if self.discriminator is None else [*blocks, Unit(self.discriminator)]

    def turns(self, step: int) -> tuple[str, ...]:
        """The generator alone has a turn before `discriminator_start_step`."""
        return ("discriminator", "generator") if self._adversarial(step) else ("generator",)

    def training_step(self, batch: Any, turn: str, step: int, generator: torch.Generator) -> Losses:
        """The loss of one turn on images (B, 3, S, S)."""
        images: Tensor = batch
        if turn == "discriminator":
            return self._discriminator_turn(images, generator)
        made = self._reconstruct(images, generator)
        metrics = {f"train/{name}": value for name, value in made.drawn.metrics.items()}
        reconstruction, parts = self._reconstruction_loss(made.images, images)
        metrics |= {f"train/{name}": value for name, value in parts.items()}
        metrics["train/regularizer"] = made.drawn.regularizer
        total = reconstruction + made.drawn.regularizer
        if self._adversarial(step):
            assert self.discriminator is not None
            adversarial = hinge_generator_loss(self.discriminator(made.images))
            metrics["train/adversarial"] = adversarial
            if self.loss.adaptive:
                weight = adaptive_weight(reconstruction, adversarial, made.patches, made.last_input)
                metrics["train/adversarial_weight"] = weight
                adversarial = weight * adversarial
            total = total + self.loss.adversarial_weight * adversarial
        logged = {name: value.detach() for name, value in metrics.items()}
        return Losses({"generator": total}, logged, "train/loss")

    def counts(self, batch: Any, turn: str) -> dict[str, Tensor]:
        """Images of a batch, so that all images of a step weigh the same."""
        return {turn: torch.tensor(len(batch), device=batch.device)}

    def validation_step(self, batch: Any, generator: torch.Generator) -> dict[str, Tensor]:
        """Measures reconstruction from the means, as latents are decoded after training."""
        images: Tensor = batch
        encoded = self.tokenizer.encoder(images)
        copies = self.tokenizer.decode(self.tokenizer.posterior.means(encoded))
        squared = (copies.clamp(-1, 1) - images).square().mean(dim=(1, 2, 3))  # (B,)
        # Over a range of 2; the floor stands for the rounding to 8 bits.
        psnr = 10 * (4 / squared.clamp(min=1e-8)).log10().mean()
        _, parts = self._reconstruction_loss(copies, images)
        parts |= self.tokenizer.posterior.metrics(encoded)
        return {"valid/psnr_db": psnr, **{f"valid/{name}": value for name, value in parts.items()}}

    def averaged_module(self) -> nn.Module:
        """The tokenizer alone is exported."""
        return self.tokenizer

    def _adversarial(self, step: int) -> bool:
        start = self.loss.discriminator_start_step
        return start is not None and step >= start

    def _reconstruct(self, images: Tensor, generator: torch.Generator) -> _Reconstruction:
        tokenizer = self.tokenizer
        drawn = tokenizer.posterior.draw(tokenizer.encoder(images), generator)
        last_input = tokenizer.decoder.last_hidden(drawn.z)
        patches = tokenizer.decoder.pixels(last_input)
        return _Reconstruction(drawn, last_input, patches, tokenizer.assemble(patches))

    def _reconstruction_loss(
        self, estimate: Tensor, images: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """The weighted sum, and each part without its weight."""
        measure = functional.mse_loss if self.loss.pixels == "l2" else functional.l1_loss
        pixels = measure(estimate.float(), images)
        parts = {f"pixels_{self.loss.pixels}": pixels}
        total = self.loss.pixel_weight * pixels
        if self.perceptual is not None:
            parts["perceptual"] = self.perceptual(estimate, images)
            total = total + self.loss.perceptual_weight * parts["perceptual"]
        return total, parts

    def _discriminator_turn(self, images: Tensor, generator: torch.Generator) -> Losses:
        assert self.discriminator is not None
        with torch.no_grad():
            estimate = self._reconstruct(images, generator).images
        loss = hinge_discriminator_loss(self.discriminator(estimate), self.discriminator(images))
        return Losses({"discriminator": loss}, {"train/discriminator": loss.detach()})
