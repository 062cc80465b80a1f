import pytest
import torch
from torch import Tensor

from latentspeech.audio.mel import DAC_MEL_SCALES
from latentspeech.codec.losses.mel_loss import MultiScaleMelLoss, MultiScaleMelLossConfig
from latentspeech.core.config import parse_config
from latentspeech.core.errors import ConfigError
from tests.reference.log_mel import multi_scale_log_mel


def voice(batch_size: int = 2, num_samples: int = 7200) -> Tensor:
    """Harmonics of two pitches over a little noise."""
    time = torch.arange(num_samples) / 24000
    pitch = torch.linspace(110, 220, batch_size)[:, None, None]
    order = torch.arange(1, 30)[None, :, None]
    harmonics = torch.sin(2 * torch.pi * pitch * order * time) / order
    return 0.1 * harmonics.sum(dim=1) + 1e-3 * torch.randn(batch_size, num_samples)


def plain_loss(estimate: Tensor, reference: Tensor) -> Tensor:
    """The definition: a sum over scales of mean absolute log-mel differences."""
    pairs = zip(
        multi_scale_log_mel(estimate, 24000), multi_scale_log_mel(reference, 24000), strict=True
    )
    return sum(((a - b).abs().mean() for a, b in pairs), start=torch.zeros(()))


@pytest.fixture
def loss() -> MultiScaleMelLoss:
    return MultiScaleMelLoss(MultiScaleMelLossConfig())


def test_defaults_are_dacs() -> None:
    config = MultiScaleMelLossConfig()
    assert config.window_lengths == (32, 64, 128, 256, 512, 1024, 2048)
    assert config.num_mels == (5, 10, 20, 40, 80, 160, 320)
    assert config.scales == DAC_MEL_SCALES


@pytest.mark.parametrize("num_samples", [7200, 7211])
def test_value_and_gradient_equal_autograd_of_the_definition(
    loss: MultiScaleMelLoss, num_samples: int
) -> None:
    reference, estimate = voice(2, num_samples), voice(2, num_samples).requires_grad_()
    fast = loss(estimate, reference)
    (fast_gradient,) = torch.autograd.grad(3 * fast, estimate)
    plain = plain_loss(estimate, reference)
    (plain_gradient,) = torch.autograd.grad(3 * plain, estimate)
    torch.testing.assert_close(fast, plain)
    assert (fast_gradient - plain_gradient).norm() < 1e-4 * plain_gradient.norm()
    torch.testing.assert_close(loss(estimate.detach(), reference), plain.detach())


def test_gradient_against_finite_differences() -> None:
    config = MultiScaleMelLossConfig(window_lengths=(32, 64), num_mels=(5, 10), weights=(1.0, 0.5))
    loss = MultiScaleMelLoss(config).double()
    reference = torch.randn(2, 131, dtype=torch.float64)
    estimate = torch.randn(2, 131, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: loss(x, reference), estimate)


def test_identical_is_zero_and_noise_only_makes_it_worse(loss: MultiScaleMelLoss) -> None:
    reference = voice()
    assert loss(reference, reference) == 0
    noise = torch.randn_like(reference)
    values = [
        loss(reference + level * noise, reference).item() for level in (1e-4, 1e-3, 1e-2, 0.1)
    ]
    assert values[0] > 0
    assert values == sorted(values)


def test_a_factor_of_ten_is_one_per_scale(loss: MultiScaleMelLoss) -> None:
    noise = torch.randn(1, 7200)  # loud in every band, so no floor
    assert loss(10 * noise, noise).item() == pytest.approx(7.0, abs=1e-3)


def test_weights_scale_the_terms() -> None:
    estimate, reference = voice(), torch.randn(2, 7200)
    parts = []
    for weights in [(1.0, 0.0), (0.0, 1.0), (2.0, 0.5)]:
        config = MultiScaleMelLossConfig(
            window_lengths=(64, 512), num_mels=(10, 80), weights=weights
        )
        parts.append(MultiScaleMelLoss(config)(estimate, reference).item())
    assert parts[2] == pytest.approx(2 * parts[0] + 0.5 * parts[1])


@pytest.mark.parametrize("estimate", [torch.zeros(2, 7200), torch.full((2, 7200), 0.3), voice()])
@pytest.mark.parametrize("reference", [torch.zeros(2, 7200), voice()])
def test_gradients_are_finite_for_silence(
    loss: MultiScaleMelLoss, estimate: Tensor, reference: Tensor
) -> None:
    estimate = estimate.clone().requires_grad_()
    loss(estimate, reference).backward()
    assert estimate.grad is not None
    assert torch.isfinite(estimate.grad).all()


def test_partly_silent_rows_still_learn(loss: MultiScaleMelLoss) -> None:
    reference = voice()
    estimate = (1e-3 * torch.randn_like(reference)).requires_grad_()
    optimizer = torch.optim.Adam([estimate], lr=1e-2)
    before = loss(estimate, reference).item()
    for _ in range(20):
        optimizer.zero_grad()
        loss(estimate, reference).backward()
        optimizer.step()
    assert loss(estimate, reference).item() < 0.6 * before


def test_autocast_does_not_blunt_it(loss: MultiScaleMelLoss) -> None:
    estimate, reference = voice(), voice()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value = loss(estimate, reference)
    torch.testing.assert_close(value, loss(estimate, reference))
    rounded = estimate.bfloat16().requires_grad_()
    loss(rounded, reference).backward()
    assert rounded.grad is not None
    assert rounded.grad.dtype == torch.bfloat16


def test_no_gradient_for_the_reference(loss: MultiScaleMelLoss) -> None:
    reference = voice().requires_grad_()
    estimate = voice().requires_grad_()
    loss(estimate, reference).backward()
    assert reference.grad is None


def test_bad_settings_and_shapes(loss: MultiScaleMelLoss) -> None:
    with pytest.raises(ConfigError, match="7, 1 and 7 entries"):
        parse_config(MultiScaleMelLossConfig, {"num_mels": [80]})
    with pytest.raises(ConfigError, match="multiples of 4"):
        parse_config(
            MultiScaleMelLossConfig, {"window_lengths": [30], "num_mels": [5], "weights": [1.0]}
        )
    with pytest.raises(ConfigError, match="negative"):
        parse_config(
            MultiScaleMelLossConfig, {"window_lengths": [32], "num_mels": [5], "weights": [-1.0]}
        )
    with pytest.raises(ValueError, match="reference has shape"):
        loss(torch.zeros(2, 7200), torch.zeros(2, 7201))


def test_level_weights_have_mean_one_and_their_gradient_is_autograds() -> None:
    loss = MultiScaleMelLoss(MultiScaleMelLossConfig(level_exponent=0.3))
    reference, estimate = voice(), voice().requires_grad_()
    fast = loss(estimate, reference)
    (fast_gradient,) = torch.autograd.grad(fast, estimate)
    plain = torch.zeros(())
    pairs = zip(
        multi_scale_log_mel(estimate, 24000), multi_scale_log_mel(reference, 24000), strict=True
    )
    for mine, target in pairs:
        levels = 10 ** (0.3 * target)
        plain = plain + ((mine - target).abs() * levels / levels.mean()).mean()
    (plain_gradient,) = torch.autograd.grad(plain, estimate)
    torch.testing.assert_close(fast, plain)
    assert (fast_gradient - plain_gradient).norm() < 1e-4 * plain_gradient.norm()
    torch.testing.assert_close(loss(estimate.detach(), reference), plain.detach())


def test_with_level_weights_an_error_in_what_is_loud_costs_more() -> None:
    loud_half = torch.cat((torch.ones(1, 4800), torch.full((1, 4800), 0.01)), dim=1)
    reference = loud_half * torch.randn(1, 9600)
    wrong_loud = reference * torch.where(loud_half == 1, 2.0, 1.0)
    wrong_quiet = reference * torch.where(loud_half == 1, 1.0, 2.0)
    flat, weighted = (
        MultiScaleMelLoss(MultiScaleMelLossConfig(level_exponent=exponent))
        for exponent in (0.0, 0.3)
    )
    assert flat(wrong_loud, reference) < 1.3 * flat(wrong_quiet, reference)
    assert weighted(wrong_loud, reference) > 3 * weighted(wrong_quiet, reference)
