from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from latentspeech.core.config import parse_config
from latentspeech.core.diffusion.config import DiffusionConfig, DiffusionLossConfig, PredictionType
from latentspeech.core.diffusion.process import DiffusionProcess, at_each_time
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.diffusion.solver_steps import SolverKind
from latentspeech.core.diffusion.solvers import solve
from latentspeech.core.tensors import make_generator
from tests.reference import diffusion_process as reference
from tests.reference.diffusion_gaussian import GaussianDenoiser

KINDS = get_args(PredictionType)
SCHEDULES = ("cosine_ddpm", "flow_matching")
SHAPES = [  # of x, of t
    pytest.param((5, 3), (5,), id="one time a latent"),
    pytest.param((2, 3, 4), (2,), id="one time an image of latents"),
    pytest.param((2, 3, 4), (2, 3), id="one time a latent in a batch"),
    pytest.param((2, 3, 4), (2, 1), id="one time a row, broadcast"),
    pytest.param((2, 3, 2, 4), (2,), id="one time a picture"),
    pytest.param((2, 3, 4), (), id="one time for all"),
]


def make(kind: PredictionType = "v_prediction", schedule: str = "cosine_ddpm") -> DiffusionProcess:
    settings: dict[str, Any] = {"schedule": {"kind": schedule}, "prediction_type": kind}
    return DiffusionProcess(parse_config(DiffusionConfig, settings))


def draw(x_shape: tuple[int, ...], t_shape: tuple[int, ...]) -> tuple[Tensor, Tensor, Tensor]:
    """Data, noise and times anywhere in [0, 1], most of them between the steps of the schedule."""
    generator = make_generator(0, "process")
    x0, noise = torch.randn(2, *x_shape, generator=generator)
    return x0, noise, torch.rand(t_shape, generator=generator)


@pytest.mark.parametrize(("x_shape", "t_shape"), SHAPES)
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", KINDS)
def test_noise_loss_and_gradients_are_those_of_each_element_alone(
    kind: PredictionType, schedule: str, x_shape: tuple[int, ...], t_shape: tuple[int, ...]
) -> None:
    process = make(kind, schedule)
    x0, noise, t = draw(x_shape, t_shape)
    expected_x_t, expected_target = reference.noised(process.schedule, kind, x0, noise, t)
    x_t, target = process.noised(x0, noise, t)
    torch.testing.assert_close(x_t, expected_x_t)
    torch.testing.assert_close(target, expected_target)

    weights = torch.randn(x_shape[-1], requires_grad=True)

    def network(x: Tensor, time: Tensor) -> Tensor:
        assert torch.equal(time, t)
        return torch.tanh(weights * x)

    found = process.loss(network, x0, noise, t)
    expected = reference.loss(network(expected_x_t, t), expected_target, len(t_shape))
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, expected)
    factors = torch.rand(found.shape)  # every element of the loss has its own gradient
    (gradient,) = torch.autograd.grad((factors * found).sum(), weights)
    (expected_gradient,) = torch.autograd.grad((factors * expected).sum(), weights)
    torch.testing.assert_close(gradient, expected_gradient)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", KINDS)
def test_the_target_leads_back_to_the_data(kind: PredictionType, schedule: str) -> None:
    process = make(kind, schedule)
    x0, noise, t = (tensor.double() for tensor in draw((50, 4), (50,)))
    x_t, target = process.noised(x0, noise, t)
    of_state, of_prediction = process.x0_coefficients(t)
    found = of_state[:, None] * x_t + of_prediction[:, None] * target
    torch.testing.assert_close(found, x0)


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", KINDS)
def test_pure_noise_gives_finite_data(kind: PredictionType, schedule: str) -> None:
    """Alpha is 0 (flow matching) or 5e-5 (cosine) at t = 1."""
    for coefficient in make(kind, schedule).x0_coefficients(torch.ones(1)):
        assert coefficient.isfinite().all()


def test_v_is_the_time_derivative_along_the_cosine_circle() -> None:
    """x = cos(a) x_0 + sin(a) eps, v = dx / da."""
    process = make("v_prediction")
    x0, noise = torch.randn(2, 1, 8, dtype=torch.float64)
    t = torch.tensor([0.4], dtype=torch.float64)
    angle = process.schedule.alpha_sigma(t)[0].acos()
    slope = torch.autograd.functional.jacobian(lambda a: a.cos() * x0 + a.sin() * noise, angle)
    torch.testing.assert_close(process.noised(x0, noise, t).target, slope[..., 0])


def test_flow_is_the_time_derivative_along_the_straight_path() -> None:
    process = make("flow", "flow_matching")
    x0, noise = torch.randn(2, 1, 8, dtype=torch.float64)
    t = torch.tensor([0.7], dtype=torch.float64)
    slope = torch.autograd.functional.jacobian(lambda s: process.noised(x0, noise, s).x_t, t)
    torch.testing.assert_close(process.noised(x0, noise, t).target, slope[..., 0])


def test_ddpm_times_are_its_thousand_steps_equally_often() -> None:
    t = make().sample_times((200_000,), make_generator(0, "times"))
    steps = (t.double() * 1000).round().long()
    torch.testing.assert_close(t, steps.float() / 1000)
    assert sorted(steps.unique().tolist()) == list(range(1, 1001))
    assert steps.bincount().max() < 300  # 200 expected, standard deviation 14


def test_logit_normal_times_have_the_asked_logits() -> None:
    loss = {"time_sampling": "logit_normal", "logit_mean": 0.7, "logit_std": 0.5}
    settings = {"schedule": {"kind": "flow_matching"}, "loss": loss}
    process = DiffusionProcess(parse_config(DiffusionConfig, settings))
    t = process.sample_times((500, 100), make_generator(0, "times"))
    assert t.shape == (500, 100)
    logits = torch.logit(t.double())
    assert logits.mean().item() == pytest.approx(0.7, abs=0.01)
    assert logits.std().item() == pytest.approx(0.5, abs=0.01)


def test_logit_settings_without_logit_times_are_refused() -> None:
    with pytest.raises(ValueError, match="no effect"):
        DiffusionLossConfig(logit_mean=0.5)


@pytest.mark.parametrize("t_shape", [(3,), (2, 4), (2, 3, 4)])
def test_times_that_do_not_fit_are_refused(t_shape: tuple[int, ...]) -> None:
    x0, noise, t = draw((2, 3, 4), t_shape)
    with pytest.raises(ValueError, match=r"t has shape.*expected the first dimensions of x0"):
        make().noised(x0, noise, t)


@pytest.mark.parametrize("shape", [(2, 3, 1), (5, 2, 3, 4)])
def test_noise_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    """It would broadcast, so that latents share their noise."""
    x0, _, t = draw((2, 3, 4), (2,))
    with pytest.raises(ValueError, match="noise has shape"):
        make().noised(x0, torch.zeros(shape), t)


def test_a_prediction_of_another_shape_is_refused() -> None:
    x0, noise, t = draw((2, 3, 4), (2,))
    with pytest.raises(ValueError, match="prediction has shape"):
        make().loss(lambda x, _: x[..., :1], x0, noise, t)


def gaussian_network(
    process: DiffusionProcess, exact: GaussianDenoiser, x: Tensor, t: Tensor
) -> Tensor:
    """The exact prediction for images (B, C, H, W) whose channels are Gaussian."""
    alpha, sigma = (level.view(-1, 1, 1, 1) for level in process.schedule.alpha_sigma(t))
    x0 = exact(x.movedim(1, -1), t[0]).movedim(-1, 1)
    noise = (x - alpha * x0) / sigma.clamp(min=1e-8)
    kinds = {"epsilon": noise, "x0": x0, "flow": noise - x0}
    return kinds.get(process.config.prediction_type, alpha * noise - sigma * x0)


@pytest.mark.parametrize("solver", get_args(SolverKind))
@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("kind", KINDS)
def test_every_solver_samples_images_with_any_network(
    kind: PredictionType, schedule: str, solver: SolverKind
) -> None:
    """A plain function of (x_t, t) gives what the solver gives with the exact estimate of x_0."""
    process = make(kind, schedule)
    mean, std = torch.tensor([1.0, -2.0, 0.3]), torch.tensor([0.4, 1.0, 1.7])
    exact = GaussianDenoiser(process.schedule, mean, std)
    noise = torch.randn(4, 3, 2, 5, generator=make_generator(0, "images"))

    def network(x: Tensor, t: Tensor) -> Tensor:
        assert t.shape == (4,)
        return gaussian_network(process, exact, x, t)

    sampling = LatentSampling(num_steps=7, solver=solver, noise_scale=0.9)
    found = process.sample(at_each_time(network), noise, sampling)
    start = 0.9 * noise.movedim(1, -1)
    expected = solve(solver, exact, start, process.grid(7)).movedim(-1, 1)
    # Next to pure noise an epsilon network loses digits: x_0 = (x - sigma eps) / alpha.
    tolerance = 1e-3 if kind == "epsilon" else 1e-4
    torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)


def test_guidance_asks_any_network_once_for_both_halves() -> None:
    process = make("x0")
    calls: list[tuple[int, ...]] = []

    def network(x: Tensor, t: Tensor) -> Tensor:
        calls.append((*x.shape, *t.shape))
        with_condition, without = torch.ones_like(x).chunk(2)
        return torch.cat((2 * with_condition, without))

    sampling = LatentSampling(num_steps=3, cfg_scale=4.0)
    found = process.sample(at_each_time(network), torch.randn(2, 3, 5), sampling)
    torch.testing.assert_close(found, torch.full((2, 3, 5), 1 + 4.0 * (2 - 1)))
    assert calls == [(4, 3, 5, 4)] * 3
