"""The codec task: turns, late discriminators, frozen encoder, learning, the ratio it holds."""

import math

import pytest
import torch

from latentspeech.codec.config import (
    CodecConfig,
    ConvNeXtConfig,
    HarmonicDecoderConfig,
    IstftDecoderConfig,
)
from latentspeech.codec.discriminators import (
    ComplexStftConfig,
    DiscriminatorsConfig,
    MultiPeriodConfig,
)
from latentspeech.codec.task import (
    FACTOR_RANGE,
    RATIO_POWER,
    CodecLossConfig,
    CodecTask,
    ratio_factor,
)
from latentspeech.core.gan import discriminator_loss
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.train.optim import OptimizerConfig
from tests.tiny_models import voice_like

SIDE = ConvNeXtConfig(strides=(4, 5, 5), base_channels=4, depths=(0, 1, 1, 1), layer_scale=0.1)
FAST = IstftDecoderConfig(
    latent_channels=32,
    latent_depth=1,
    upsampling=1,
    frame_channels=32,
    frame_depth=1,
    hop_length=100,
    window_length=400,
    layer_scale=0.1,
)
DISCRIMINATORS = DiscriminatorsConfig(
    multi_period=MultiPeriodConfig(periods=(2, 3), channels=(4, 8)),
    complex_stft=ComplexStftConfig(window_lengths=(512,), channels=4),
)


def make(
    decoder: ConvNeXtConfig | IstftDecoderConfig = SIDE, beta: float = 0.01, **loss: object
) -> CodecTask:
    torch.manual_seed(0)
    posterior = SigmaVAEConfig(sigma_std=0.625, beta=beta)
    return CodecTask(
        CodecConfig(latent_dim=8, encoder=SIDE, decoder=decoder, posterior=posterior),
        CodecLossConfig(**loss),
        DISCRIMINATORS,
        OptimizerConfig(lr=2e-3),
        OptimizerConfig(lr=1e-3),
    )


def batch() -> torch.Tensor:
    return torch.stack([voice_like(0.4, seed=seed) for seed in (1, 2)])


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_discriminators_start_late_and_go_first() -> None:
    task = make(discriminator_start_step=10)
    assert task.turns(9) == ("generator",)
    assert task.turns(10) == ("discriminator", "generator")
    before = task.training_step(batch(), "generator", 9, generator())
    after = task.training_step(batch(), "generator", 10, generator())
    assert "train/adversarial" not in before.metrics
    assert {"train/adversarial", "train/feature_matching"} <= after.metrics.keys()
    assert after.total > before.total


def test_without_discriminators_there_is_one_optimizer() -> None:
    task = make(discriminator_start_step=None)
    assert list(task.optimizer_specs()) == ["generator"]
    assert task.turns(10**6) == ("generator",)


def test_turns_reach_their_own_parameters() -> None:
    task = make(discriminator_start_step=0)
    assert task.discriminators is not None
    task.training_step(batch(), "discriminator", 0, generator()).total.backward()
    assert all(parameter.grad is None for parameter in task.codec.parameters())
    assert all(parameter.grad is not None for parameter in task.discriminators.parameters())
    task.zero_grad()
    task.training_step(batch(), "generator", 0, generator()).total.backward()
    gradients = [parameter.grad for parameter in task.codec.parameters()]
    assert all(gradient is not None and gradient.abs().sum() > 0 for gradient in gradients)


def test_a_frozen_encoder_gets_no_gradient_from_its_step_on() -> None:
    task = make(discriminator_start_step=None, freeze_encoder_step=5)
    task.training_step(batch(), "generator", 4, generator()).total.backward()
    assert all(parameter.grad is not None for parameter in task.codec.encoder.parameters())
    task.zero_grad(set_to_none=True)
    task.training_step(batch(), "generator", 5, generator()).total.backward()
    assert all(parameter.grad is None for parameter in task.codec.encoder.parameters())
    assert all(parameter.grad is not None for parameter in task.codec.decoder.parameters())


def test_discriminators_judge_the_same_span_of_both() -> None:
    task = make(discriminator_start_step=0, discriminator_samples=4096)
    audio = batch()
    estimate, real = task._crop(audio * 2, audio, generator())
    assert real.shape == (2, 4096)
    torch.testing.assert_close(estimate, real * 2)
    spans = {
        float(task._crop(audio, audio, torch.Generator().manual_seed(n))[0].sum()) for n in range(9)
    }
    assert len(spans) > 3
    task.training_step(audio, "generator", 0, generator()).total.backward()
    task.training_step(audio, "discriminator", 0, generator()).total.backward()


def test_discriminators_may_learn_from_the_copies_that_the_generator_has_made() -> None:
    task = make(discriminator_start_step=0, reuse_copies=True)
    assert task.turns(0) == ("generator", "discriminator")
    audio = batch()
    task.training_step(audio, "generator", 0, generator())
    copies = task._copies[0].clone()
    with torch.no_grad():
        for parameter in task.codec.parameters():
            parameter.zero_()  # the copies are those of the weights before
    loss = task.training_step(audio, "discriminator", 0, generator()).total
    assert task.discriminators is not None
    expected = discriminator_loss(task.discriminators(copies), task.discriminators(audio))
    torch.testing.assert_close(loss, expected)
    assert task._copies == []


def test_the_codec_may_rest_while_discriminators_catch_up() -> None:
    task = make(discriminator_start_step=2, discriminators_alone_steps=3, reuse_copies=True)
    turns = {step: task.turns(step) for step in (1, 2, 4, 5)}
    both = ("generator", "discriminator")
    assert turns == {1: ("generator",), 2: ("discriminator",), 4: ("discriminator",), 5: both}
    task.training_step(batch(), "discriminator", 4, generator()).total.backward()
    assert all(parameter.grad is None for parameter in task.codec.parameters())


@pytest.mark.parametrize("decoder", [SIDE, FAST])
def test_it_learns_a_signal(decoder: ConvNeXtConfig | IstftDecoderConfig) -> None:
    task = make(decoder, discriminator_start_step=None)
    optimizer = torch.optim.AdamW(task.codec.parameters(), lr=3e-3)
    noise = generator()
    start = float(task.validation_step(batch(), generator())["valid/mel_l1"].detach())
    for step in range(60):
        loss = task.training_step(batch(), "generator", step, noise).total
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    end = float(task.validation_step(batch(), generator())["valid/mel_l1"].detach())
    assert end < 0.7 * start


def test_a_decoder_with_harmonics_learns_the_pitch_and_the_encoder_with_it() -> None:
    harmonic = HarmonicDecoderConfig(**{**FAST.model_dump(), "kind": "harmonic"})
    task = make(harmonic, discriminator_start_step=None, given_pitch_steps=1, mel_weight=0.0)
    losses = task.training_step(batch(), "generator", 0, generator())
    losses.total.backward()
    assert losses.metrics["train/pitch_cross_entropy"] > 3  # of 180 bins
    assert all(parameter.grad is not None for parameter in task.codec.encoder.parameters())
    decoder = task.codec.decoder
    assert decoder.pitch_logits.weight.grad.abs().sum() > 0
    assert not decoder.filter.weight.grad.any()  # the sound has no weight here
    given = task.training_step(batch(), "generator", 0, generator()).metrics["train/mel_l1"]
    own = task.training_step(batch(), "generator", 1, generator()).metrics["train/mel_l1"]
    assert given != own


def test_the_factor_on_beta_is_1_at_the_wanted_ratio_and_bounded() -> None:
    ratios = torch.tensor([1.0, 1.0 + math.log(2) / RATIO_POWER, -9.0, 9.0, -math.inf])
    factors = [float(ratio_factor(ratio, 1.0)) for ratio in ratios]
    low, high = FACTOR_RANGE
    assert factors == pytest.approx([1, 2, low, high, low])


def test_without_a_wanted_ratio_beta_is_what_it_was() -> None:
    fixed = make(beta=0.1, discriminator_start_step=None)
    held = make(beta=0.1, discriminator_start_step=None, log_sigma_ratio=0.5)
    assert fixed.state_dict().keys() == held.state_dict().keys()
    plain = fixed.training_step(batch(), "generator", 0, generator())
    steered = held.training_step(batch(), "generator", 0, generator())
    assert "train/beta" not in plain.metrics
    beta = float(steered.metrics["train/beta"])
    mu = plain.metrics["train/mu_regularizer"]
    assert float(steered.metrics["train/mu_regularizer"]) == pytest.approx(float(mu) * beta / 0.1)
    rest = plain.total - mu
    torch.testing.assert_close(steered.total, rest + steered.metrics["train/mu_regularizer"])


@pytest.mark.slow
@pytest.mark.parametrize("start", [0.02, 20.0])
def test_the_ratio_goes_to_what_is_wanted_from_both_sides(start: float) -> None:
    task = make(beta=0.05, discriminator_start_step=None, log_sigma_ratio=0.5)
    with torch.no_grad():
        last = list(task.codec.encoder.parameters())[-2:]
        mu = task.codec.encode(batch())
        for parameter in last:
            parameter.mul_(start / mu.std())
    optimizer = torch.optim.AdamW(task.codec.parameters(), lr=1e-2, betas=(0.8, 0.99))
    noise, ratios = generator(), []
    for step in range(150):
        losses = task.training_step(batch(), "generator", step, noise)
        optimizer.zero_grad()
        losses.total.backward()
        optimizer.step()
        ratios.append(float(losses.metrics["train/log_std_mu_over_sigma"]))
    assert abs(ratios[0] - 0.5) > 1
    assert ratios[-1] == pytest.approx(0.5, abs=0.35)
