from typing import get_args

import pytest
import torch
from torch import Tensor

from latentspeech.core.diffusion.prediction import (
    PredictionType,
    to_x0,
    training_target,
)
from latentspeech.core.diffusion.schedules import (
    CosineDDPMConfig,
    FlowMatchingConfig,
    NoiseSchedule,
    build_schedule,
)

KINDS = get_args(PredictionType)
SCHEDULES = [build_schedule(CosineDDPMConfig()), build_schedule(FlowMatchingConfig())]


def noised(schedule: NoiseSchedule) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """x_0, noise, x_t, alpha, sigma for 50 times away from both ends."""
    x0 = torch.randn(50, 4, dtype=torch.float64)
    noise = torch.randn(50, 4, dtype=torch.float64)
    t = torch.linspace(0.01, 0.99, 50, dtype=torch.float64)
    alpha, sigma = (level[:, None] for level in schedule.alpha_sigma(t))
    return x0, noise, alpha * x0 + sigma * noise, alpha, sigma


@pytest.mark.parametrize("schedule", SCHEDULES, ids=["cosine", "flow"])
@pytest.mark.parametrize("kind", KINDS)
def test_the_target_leads_back_to_the_data(kind: PredictionType, schedule: NoiseSchedule) -> None:
    x0, noise, x_t, alpha, sigma = noised(schedule)
    target = training_target(kind, x0, noise, alpha, sigma)
    found = to_x0(kind, target, x_t, alpha, sigma)
    torch.testing.assert_close(found, x0)


def test_v_is_the_time_derivative_along_the_cosine_circle() -> None:
    """x = cos(a) x_0 + sin(a) eps, v = dx / da."""
    x0, noise = torch.randn(2, 8, dtype=torch.float64)
    angle = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    slope = torch.autograd.functional.jacobian(lambda a: a.cos() * x0 + a.sin() * noise, angle)
    target = training_target("v_prediction", x0, noise, angle.cos(), angle.sin())
    torch.testing.assert_close(target, slope)


def test_flow_is_the_time_derivative_along_the_straight_path() -> None:
    x0, noise = torch.randn(2, 8, dtype=torch.float64)
    t = torch.tensor(0.7, dtype=torch.float64)
    slope = torch.autograd.functional.jacobian(lambda s: (1 - s) * x0 + s * noise, t)
    torch.testing.assert_close(training_target("flow", x0, noise, 1 - t, t), slope)


def test_ddpm_rescaled_to_the_straight_path_is_flow_matching() -> None:
    """y = x / (alpha + sigma) at tau = sigma / (alpha + sigma): the same x_0 and noise."""
    x0, noise, x_t, alpha, sigma = noised(SCHEDULES[0])
    velocity = training_target("v_prediction", x0, noise, alpha, sigma)
    from_ddpm = to_x0("v_prediction", velocity, x_t, alpha, sigma)
    tau = sigma / (alpha + sigma)
    from_flow = to_x0("flow", noise - x0, x_t / (alpha + sigma), 1 - tau, tau)
    torch.testing.assert_close(from_ddpm, from_flow)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=["cosine", "flow"])
@pytest.mark.parametrize("kind", KINDS)
def test_pure_noise_gives_finite_data(kind: PredictionType, schedule: NoiseSchedule) -> None:
    """Alpha is 0 (flow matching) or 5e-5 (cosine) at t = 1."""
    alpha, sigma = schedule.alpha_sigma(torch.ones(1))
    x0, noise = torch.randn(2, 6)
    target = training_target(kind, x0, noise, alpha, sigma)
    assert to_x0(kind, target, alpha * x0 + sigma * noise, alpha, sigma).isfinite().all()
