"""The codec's training: reconstruction, small means, later discriminators (paper 4.3, H.5.1).

    L = 15 L_mel + w L_wave + l L_loudness + beta mean(mu^2) + 2 L_feature + 1 L_adversarial

The reconstruction loss is not the squared error that the paper's equation prints: losses and
weights are DAC's (Kumar et al. 2023, arXiv 2306.06546), with PESQ's disturbance on request. Before
`discriminator_start_step` only the generator has a turn; from then on the discriminator goes first.

One beta does not suit every size and loss, and a beta that is too small lets the encoder escape the
noise by growing its means. `log_sigma_ratio` therefore states the ratio that is wanted, as a
logarithm, and each batch's regulariser is weighted by how far the batch is from it
(`ratio_factor`).

B batch, T samples, F latent frames, D latent dimension.
"""

import math
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from latentspeech.codec.config import CodecConfig
from latentspeech.codec.convnext import ConvNeXtBlock
from latentspeech.codec.decoders.harmonic_decoder import HarmonicDecoder
from latentspeech.codec.discriminators import Discriminators, DiscriminatorsConfig
from latentspeech.codec.losses.loudness_loss import LoudnessLoss
from latentspeech.codec.losses.mel_loss import MultiScaleMelLoss, MultiScaleMelLossConfig
from latentspeech.codec.model import Codec
from latentspeech.core.config import Config
from latentspeech.core.gan import (
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
)
from latentspeech.core.latents.sigma_vae import log_sigma_ratio, mean_regularizer, sample_posterior
from latentspeech.core.train.optim import OptimizerConfig, OptimizerSpec
from latentspeech.core.train.task import Losses, Task, Unit

RATIO_POWER = 16.0
# Factors outside of this range would only swamp the optimizer's moments.
FACTOR_RANGE = (1e-3, 1e3)


class CodecLossConfig(Config):
    """Weights of the codec's losses, and when the adversarial ones begin."""

    mel: MultiScaleMelLossConfig = Field(MultiScaleMelLossConfig(), description="scales of L_mel")
    mel_weight: float = Field(15.0, ge=0, description="weight of the multi-scale mel loss")
    waveform_weight: float = Field(0.0, ge=0, description="weight of mean |x^ - x|")
    loudness_weight: float = Field(
        0.0, ge=0, description="weight of PESQ's disturbance; needs segments of 0.35 s"
    )
    feature_matching_weight: float = Field(2.0, ge=0, description="weight of feature matching")
    adversarial_weight: float = Field(1.0, ge=0, description="weight of the LSGAN generator loss")
    discriminator_start_step: int | None = Field(
        0, ge=0, description="first step with discriminators; null: never"
    )
    discriminators_alone_steps: int = Field(
        0, ge=0, description="steps from discriminator_start_step on in which the codec rests"
    )
    discriminator_samples: int | None = Field(
        None, ge=1, description="length of the random crop that discriminators judge; null: all"
    )
    reuse_copies: bool = Field(
        False, description="discriminators learn second, from the copies of the generator's turn"
    )
    pitch_weight: float = Field(
        1.0, ge=0, description="weight of the pitch's cross entropy, for a decoder with pitch"
    )
    given_pitch_steps: int = Field(
        0, ge=0, description="number of first steps in which such a decoder uses the tracked pitch"
    )
    freeze_encoder_step: int | None = Field(
        None, ge=0, description="first step from which the encoder stays fixed; null: never"
    )
    log_sigma_ratio: float | None = Field(
        None, description="log of the std(mu) / E|sigma| that training holds; null: beta is fixed"
    )


def ratio_factor(log_ratio: Tensor, wanted: float) -> Tensor:
    """The factor of beta: (ratio / wanted ratio) ** RATIO_POWER, within FACTOR_RANGE.

    Args:
        log_ratio: () log(std(mu) / E|sigma|) of a batch, as `log_sigma_ratio` gives it.
        wanted: the log ratio at which the factor is 1.

    The factor depends on the batch alone. It keeps no state, so a resumed run and a run on several
    processes compute what an uninterrupted run on one process computes. The encoder settles where
    beta times the factor balances the reconstruction: log(balance / beta) / RATIO_POWER above
    `wanted`, which is 0.14 for a beta that is ten times too small.
    """
    low, high = (math.log(edge) for edge in FACTOR_RANGE)
    return (RATIO_POWER * (log_ratio.detach() - wanted)).clamp(low, high).exp()


class _Reconstruction(NamedTuple):
    mu: Tensor  # (B, F, D)
    estimate: Tensor  # (B, T)
    pitch_loss: Tensor | None  # nats; None for a decoder without pitch


class CodecTask(Task):
    """Owns the codec, its discriminators and their two optimizers; a batch is audio (B, T)."""

    def __init__(
        self,
        codec: CodecConfig,
        loss: CodecLossConfig,
        discriminators: DiscriminatorsConfig,
        optimizer: OptimizerConfig,
        discriminator_optimizer: OptimizerConfig,
    ) -> None:
        super().__init__()
        self.loss = loss
        self.codec = Codec(codec)
        self.mel_loss = MultiScaleMelLoss(loss.mel)
        # Validation takes DAC's own distance, so that runs with other weights can be compared.
        self.mel_distance = MultiScaleMelLoss(loss.mel.model_copy(update={"level_exponent": 0.0}))
        self.loudness_loss = LoudnessLoss(codec.sample_rate) if loss.loudness_weight else None
        self.discriminators: Discriminators | None = None
        if loss.discriminator_start_step is not None:
            self.discriminators = Discriminators(discriminators)
        self._optimizers = (optimizer, discriminator_optimizer)
        self._copies: list[Tensor] = []  # (B, T) each, of the generator's turn, for reuse_copies

    def optimizer_specs(self) -> dict[str, OptimizerSpec]:
        """The codec's and, where there are discriminators, theirs."""
        generator, discriminator = self._optimizers
        specs = {"generator": OptimizerSpec(self.codec, generator)}
        if self.discriminators is not None:
            specs = {"discriminator": OptimizerSpec(self.discriminators, discriminator)} | specs
        return specs

    def units(self) -> list[Unit]:
        """The codec's ConvNeXt blocks and the discriminators."""
        blocks = (m for m in self.codec.modules() if isinstance(m, ConvNeXtBlock))
        judges = self.discriminators.discriminators if self.discriminators is not None else ()
        return [*(Unit(block, "step") for block in blocks), *map(Unit, judges)]

    def turns(self, step: int) -> tuple[str, ...]:
        """The generator alone has a turn before `discriminator_start_step`."""
        if not self._adversarial(step):
            return ("generator",)
        if self._codec_rests(step):
            return ("discriminator",)
        if self.loss.reuse_copies:
            return ("generator", "discriminator")
        return ("discriminator", "generator")

    def training_step(
        self, batch: Tensor, turn: str, step: int, generator: torch.Generator
    ) -> Losses:
        """The loss of one turn on audio (B, T)."""
        if turn == "discriminator":
            return self._discriminator_turn(batch, step, generator)
        adversarial = self._adversarial(step)
        freeze = self.loss.freeze_encoder_step
        frozen = freeze is not None and step >= freeze
        made = self._reconstruct(batch, generator, frozen, step < self.loss.given_pitch_steps)
        posterior = self.codec.config.posterior
        copy = made.estimate
        mel = self.mel_loss(copy, batch)
        waveform = (copy - batch).abs().mean()
        regularizer = mean_regularizer(posterior, made.mu, None)
        log_ratio = log_sigma_ratio(posterior, made.mu)
        metrics = {"train/log_std_mu_over_sigma": log_ratio}
        if self.loss.log_sigma_ratio is not None:
            factor = ratio_factor(log_ratio, self.loss.log_sigma_ratio)
            regularizer = factor * regularizer
            metrics["train/beta"] = posterior.beta * factor
        total = self.loss.mel_weight * mel + self.loss.waveform_weight * waveform + regularizer
        metrics |= {
            "train/mel_l1": mel,
            "train/waveform_l1": waveform,
            "train/mu_regularizer": regularizer,
        }
        if made.pitch_loss is not None:
            total = total + self.loss.pitch_weight * made.pitch_loss
            metrics["train/pitch_cross_entropy"] = made.pitch_loss
        if self.loudness_loss is not None:
            metrics["train/loudness"] = self.loudness_loss(copy, batch)
            total = total + self.loss.loudness_weight * metrics["train/loudness"]
        if adversarial:
            if self.loss.reuse_copies:
                self._copies.append(copy.detach())
            estimate, real = self._crop(copy, batch, generator)
            adversarial_loss, matching = self._judge(estimate, real, generator)
            total = total + self.loss.adversarial_weight * adversarial_loss
            total = total + self.loss.feature_matching_weight * matching
            metrics |= {"train/adversarial": adversarial_loss, "train/feature_matching": matching}
        logged = {name: value.detach() for name, value in metrics.items()}
        return Losses({"generator": total}, logged)

    def validation_step(self, batch: Tensor, generator: torch.Generator) -> dict[str, Tensor]:
        """Measures reconstruction from the means, as copies are made from them."""
        mu = self.codec.encode(batch)
        estimate = self.codec.decode(mu, batch.shape[1])
        return {
            "valid/mel_l1": self.mel_distance(estimate, batch),
            "valid/waveform_l1": (estimate - batch).abs().mean(),
            "valid/log_std_mu_over_sigma": log_sigma_ratio(self.codec.config.posterior, mu),
        }

    def averaged_module(self) -> nn.Module:
        """The codec alone is exported."""
        return self.codec

    def _adversarial(self, step: int) -> bool:
        start = self.loss.discriminator_start_step
        return start is not None and step >= start

    def _codec_rests(self, step: int) -> bool:
        start = self.loss.discriminator_start_step
        return start is not None and 0 <= step - start < self.loss.discriminators_alone_steps

    def _reconstruct(
        self, audio: Tensor, generator: torch.Generator, frozen: bool, given_pitch: bool
    ) -> _Reconstruction:
        with torch.set_grad_enabled(torch.is_grad_enabled() and not frozen):
            mu = self.codec.encode(audio)
        z = sample_posterior(self.codec.config.posterior, mu, generator)
        decoder = self.codec.decoder
        if not isinstance(decoder, HarmonicDecoder):
            return _Reconstruction(mu, self.codec.decode(z, audio.shape[1]), None)
        pitch = decoder.track_pitch(audio)
        estimate, logits = decoder.forward_at_pitch(
            self.codec.frames(z), pitch if given_pitch else None
        )
        loss = decoder.pitch_bins.loss(logits, pitch)
        return _Reconstruction(mu, estimate[:, : audio.shape[1], 0], loss)

    def _discriminator_turn(self, audio: Tensor, step: int, generator: torch.Generator) -> Losses:
        assert self.discriminators is not None
        if self.loss.reuse_copies and not self._codec_rests(step):
            estimate = self._copies.pop(0)
        else:
            with torch.no_grad():
                mu = self.codec.encode(audio)
                z = sample_posterior(self.codec.config.posterior, mu, generator)
                estimate = self.codec.decode(z, audio.shape[1])
        estimate, audio = self._crop(estimate, audio, generator)
        places = self.discriminators.draw(generator)
        loss = discriminator_loss(
            self.discriminators(estimate, places), self.discriminators(audio, places)
        )
        return Losses({"discriminator": loss}, {"train/discriminator": loss.detach()})

    def _crop(
        self, estimate: Tensor, audio: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """The same random span of both (B, T), for discriminators that do not judge all of it."""
        length = self.loss.discriminator_samples
        if length is None or length >= audio.shape[1]:
            return estimate, audio
        last = audio.shape[1] - length
        start = int(torch.randint(last + 1, (), generator=generator, device=generator.device))
        return estimate[:, start : start + length], audio[:, start : start + length]

    def _judge(
        self, estimate: Tensor, audio: Tensor, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Adversarial and feature-matching losses of an estimate (B, T)."""
        assert self.discriminators is not None
        places = self.discriminators.draw(generator)
        fake = self.discriminators(estimate, places)
        with torch.no_grad():
            real = self.discriminators(audio, places)
        return generator_loss(fake), feature_matching_loss(fake, real)
