"""What the head adds to the loss of the process: several draws for each hidden state."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor, nn

from latentspeech.core.diffusion.config import (
    CosineDDPMConfig,
    DiffusionConfig,
    DiffusionHeadConfig,
    DiffusionLossConfig,
    PredictionType,
)
from latentspeech.core.diffusion.head import Modulation
from latentspeech.core.diffusion.latent_diffusion import LatentDiffusion
from latentspeech.core.diffusion.schedules import build_schedule
from latentspeech.core.tensors import make_generator

COSINE = build_schedule(CosineDDPMConfig())
HEAD = DiffusionHeadConfig(latent_dim=4, model_dim=16, cond_dim=12, num_layers=1, ffn_dim=32)


def make(num_noise_draws: int = 4, kind: PredictionType = "v_prediction") -> LatentDiffusion:
    loss = DiffusionLossConfig(num_noise_draws=num_noise_draws)
    return LatentDiffusion(DiffusionConfig(prediction_type=kind, loss=loss), HEAD)


def loss(model: LatentDiffusion, x0: Tensor, cond: Tensor, seed: int = 0) -> Tensor:
    return model.loss(x0, cond, make_generator(seed, "loss"))


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("epsilon", 1.0), ("x0", 9.0), ("flow", 10.0), ("v_prediction", None)],
)
def test_the_loss_of_a_fresh_head_is_the_mean_square_of_the_target(
    kind: PredictionType, expected: float | None
) -> None:
    """A mean over channels and draws: independent of latent_dim and num_noise_draws.

    E v^2 = E alpha^2 + 9 E sigma^2 = 1 + 8 E sigma^2 for data of std 3.
    """
    x0 = 3 * torch.randn(4000, 4)
    if expected is None:
        sigma = COSINE.alpha_sigma(torch.arange(1, 1001) / 1000)[1]
        expected = 1 + 8 * sigma.square().mean().item()
    for draws in (1, 4):
        found = loss(make(draws, kind), x0, torch.randn(4000, 12))
        assert found.shape == (4000,)
        assert found.dtype == torch.float32
        assert found.mean().item() == pytest.approx(expected, rel=0.06)


def test_gradients_reach_the_condition_of_the_same_row_only() -> None:
    model = make()
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3)
    cond = torch.randn(6, 12, requires_grad=True)
    loss(model, torch.randn(6, 4), cond)[2].backward()
    assert cond.grad is not None
    assert cond.grad[2].abs().max() > 0
    assert (cond.grad[[0, 1, 3, 4, 5]] == 0).all()


def test_more_noise_draws_reduce_the_variance() -> None:
    """Draws are independent: four of them have a quarter of the variance."""
    x0, cond = torch.randn(1, 4).expand(4000, 4), torch.zeros(4000, 12)
    one = loss(make(1), x0, cond).var()
    four = loss(make(4), x0, cond).var()
    assert 3 < one / four < 5.3


def test_the_same_seed_gives_the_same_loss() -> None:
    model, x0, cond = make(), torch.randn(3, 4), torch.randn(3, 12)
    assert torch.equal(loss(model, x0, cond, seed=1), loss(model, x0, cond, seed=1))
    assert not torch.equal(loss(model, x0, cond, seed=1), loss(model, x0, cond, seed=2))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_narrow_model_is_noised_at_float32_times_and_levels(dtype: torch.dtype) -> None:
    """What the head is given shows whether alpha, sigma and t were rounded on the way."""
    model = make().to(dtype)
    head = model.head
    seen: list[Tensor] = []
    head.time.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    denoise = head.denoise

    def spy(x_t: Tensor, modulations: Sequence[Modulation]) -> Tensor:
        seen.append(x_t)
        return denoise(x_t, modulations)

    head.denoise = spy  # type: ignore[method-assign]
    x0, cond = torch.randn(2000, 4, dtype=dtype), torch.randn(2000, 12, dtype=dtype)
    value = loss(model, x0, cond)
    t, x_t, *_ = seen
    assert (x_t.dtype, t.dtype, value.dtype) == (torch.float32,) * 3
    assert len(t.unique()) > 950  # 8000 draws of 1000 steps
    torch.testing.assert_close(t, (t * 1000).round() / 1000)  # and no times between the steps


def test_no_latents_is_an_empty_loss() -> None:
    assert loss(make(), torch.zeros(0, 4), torch.zeros(0, 12)).shape == (0,)
