"""The codec task: turns, late discriminators, frozen encoder, learning."""

import pytest
import torch

from latentspeech.codec.convnext import ConvNeXtConfig
from latentspeech.codec.discriminators import (
    ComplexStftConfig,
    DiscriminatorsConfig,
    MultiPeriodConfig,
)
from latentspeech.codec.harmonic_decoder import HarmonicDecoderConfig
from latentspeech.codec.istft_decoder import IstftDecoderConfig
from latentspeech.codec.model import CodecConfig
from latentspeech.codec.task import CodecLossConfig, CodecTask
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


def make(decoder: ConvNeXtConfig | IstftDecoderConfig = SIDE, **loss: object) -> CodecTask:
    torch.manual_seed(0)
    return CodecTask(
        CodecConfig(latent_dim=8, encoder=SIDE, decoder=decoder),
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
