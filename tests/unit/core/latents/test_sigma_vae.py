import math

import pytest
import torch

from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.latents.sigma_vae import (
    log_sigma_ratio,
    mean_regularizer,
    sample_posterior,
    sample_posteriors,
)
from latentspeech.core.tensors import make_generator

PER_EXAMPLE = SigmaVAEConfig(sigma_std=0.625)
FIXED = SigmaVAEConfig(kind="fixed", sigma_std=0.75)


def test_one_sigma_an_example_from_a_normal() -> None:
    mu = torch.zeros(3000, 20, 10)
    z = sample_posterior(PER_EXAMPLE, mu, make_generator(0, "posterior"))
    sigma = z.square().mean(dim=(1, 2)).sqrt()  # |sigma| to 5%
    assert sigma.mean().item() == pytest.approx(0.5, abs=0.02)
    assert sigma.square().mean().sqrt().item() == pytest.approx(0.625, abs=0.025)
    assert PER_EXAMPLE.mean_abs_sigma == pytest.approx(0.4987, abs=1e-4)


def test_sigma_is_shared_by_frames_and_channels_of_an_example() -> None:
    z = sample_posterior(PER_EXAMPLE, torch.zeros(50, 400, 400), make_generator(0, "posterior"))
    overall = z.std(dim=(1, 2))
    torch.testing.assert_close(z[:, :200].std(dim=(1, 2)), overall, rtol=0.02, atol=0)
    torch.testing.assert_close(z[..., 200:].std(dim=(1, 2)), overall, rtol=0.02, atol=0)
    assert overall.std() > 0.2


def test_fixed_sigma_is_the_same_for_every_example() -> None:
    z = sample_posterior(FIXED, torch.zeros(20, 100, 50), make_generator(0, "posterior"))
    torch.testing.assert_close(z.std(dim=(1, 2)), torch.full((20,), 0.75), rtol=0.05, atol=0)
    assert FIXED.mean_abs_sigma == 0.75


def test_the_mean_passes_through_with_its_gradient_and_dtype() -> None:
    mu = torch.randn(4, 6, 5, requires_grad=True)
    z = sample_posterior(PER_EXAMPLE, mu, make_generator(0, "posterior"))
    z.sum().backward()
    assert torch.equal(mu.grad, torch.ones_like(mu))
    silent = SigmaVAEConfig(sigma_std=0.0)
    torch.testing.assert_close(sample_posterior(silent, mu, make_generator(0, "posterior")), mu)
    narrow = sample_posterior(PER_EXAMPLE, mu.bfloat16(), make_generator(0, "posterior"))
    assert narrow.dtype == torch.bfloat16
    assert (narrow.float() - z).abs().max() < 0.05


def test_a_seed_repeats_the_sample() -> None:
    mu = torch.zeros(2, 3, 4)
    first, again = (sample_posterior(PER_EXAMPLE, mu, make_generator(5, "p")) for _ in range(2))
    other = sample_posterior(PER_EXAMPLE, mu, make_generator(6, "p"))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_regularizer_is_a_mean_over_valid_frames_and_channels() -> None:
    config = SigmaVAEConfig(sigma_std=0.625, beta=0.1)
    mu = torch.full((2, 4, 8), 3.0)
    assert mean_regularizer(config, mu).item() == pytest.approx(0.9)
    mask = torch.tensor([[True, True, True, False], [True, False, False, False]])
    padded = mu.masked_fill(~mask[..., None], 1e6)
    assert mean_regularizer(config, padded, mask).item() == pytest.approx(0.9)
    assert mean_regularizer(config, padded, torch.zeros_like(mask)).item() == 0
    uneven = mu.clone()
    uneven[1, 0] = 0.0
    assert mean_regularizer(config, uneven, mask).item() == pytest.approx(0.1 * 9 * 3 / 4)


def test_the_ratio_is_zero_when_data_and_noise_are_of_one_size() -> None:
    mu = PER_EXAMPLE.mean_abs_sigma * torch.randn(50, 100, 8) + 7.0
    assert log_sigma_ratio(PER_EXAMPLE, mu).item() == pytest.approx(0, abs=0.02)
    assert log_sigma_ratio(PER_EXAMPLE, 10 * mu).item() == pytest.approx(math.log(10), abs=0.02)
    mask = torch.zeros(50, 100, dtype=torch.bool)
    mask[:, :60] = True
    padded = mu.masked_fill(~mask[..., None], 1e4)
    assert log_sigma_ratio(PER_EXAMPLE, padded, mask).item() == pytest.approx(0, abs=0.02)


def test_images_and_speech_each_name_their_sigma() -> None:
    assert SigmaVAEConfig(sigma_std=0.9375).mean_abs_sigma == pytest.approx(0.75, abs=0.003)
    with pytest.raises(ValueError, match="sigma_std"):
        SigmaVAEConfig()  # type: ignore[call-arg]


@pytest.mark.parametrize("config", [PER_EXAMPLE, FIXED], ids=["per_example", "fixed"])
def test_many_examples_of_any_lengths_are_drawn_as_one_by_one(config: SigmaVAEConfig) -> None:
    lengths = (4000, 1, 9000)
    mus = [torch.full((length, 3), float(number)) for number, length in enumerate(lengths)]
    drawn = sample_posteriors(config, mus, make_generator(0, "posterior"))
    assert [tuple(z.shape) for z in drawn] == [(length, 3) for length in lengths]
    generator = make_generator(0, "posterior")
    noise = torch.randn(sum(lengths), 3, generator=generator).split(lengths)
    sigmas = torch.full((3,), config.sigma_std)
    if config.kind == "per_example":
        sigmas = sigmas * torch.randn(3, generator=generator).abs()
    for z, mu, eps, sigma in zip(drawn, mus, noise, sigmas, strict=True):
        torch.testing.assert_close(z, mu + sigma * eps)


@pytest.mark.parametrize("config", [PER_EXAMPLE, FIXED], ids=["per_example", "fixed"])
def test_posteriors_stay_on_the_device_of_their_means(config: SigmaVAEConfig) -> None:
    """The meta device stands for every other: an operation over two devices fails there too."""
    mus = [torch.zeros(length, 3, device="meta") for length in (4, 2)]
    drawn = sample_posteriors(config, mus, make_generator(0, "posterior"))
    assert [z.device.type for z in drawn] == ["meta", "meta"]
    one = sample_posterior(config, torch.zeros(2, 4, 3, device="meta"), make_generator(0, "p"))
    assert one.device.type == "meta"
