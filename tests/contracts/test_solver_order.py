"""Solvers reach their order on a Gaussian, whose ODE has an exact solution, with both schedules."""

import pytest
import torch

from latentspeech.core.diffusion.config import CosineDDPMConfig, FlowMatchingConfig
from latentspeech.core.diffusion.schedules import NoiseSchedule, build_schedule
from latentspeech.core.diffusion.solver_steps import SolverKind
from latentspeech.core.diffusion.solvers import solve, time_grid
from latentspeech.core.tensors import make_generator
from tests.reference.diffusion_gaussian import GaussianDenoiser

SCHEDULES = {
    "cosine_ddpm": build_schedule(CosineDDPMConfig()),
    "flow_matching": build_schedule(FlowMatchingConfig()),
}
NUM_STEPS = (20, 40, 80, 160)


def gaussian(schedule: NoiseSchedule) -> GaussianDenoiser:
    mean = torch.tensor([1.0, -2.0, 0.3], dtype=torch.float64)
    std = torch.tensor([0.4, 1.0, 1.7], dtype=torch.float64)
    return GaussianDenoiser(schedule, mean, std)


def errors(kind: SolverKind, schedule: NoiseSchedule) -> torch.Tensor:
    """Largest error at t = 0.05 after starting at t = 0.95, for each of NUM_STEPS."""
    denoiser = gaussian(schedule)
    noise = torch.randn(16, 3, generator=make_generator(0, "start"), dtype=torch.float64)
    found = []
    for num_steps in NUM_STEPS:
        # All these times are entries of the 1000-step table, so its interpolation plays no part.
        grid = torch.linspace(0.95, 0.05, num_steps + 1, dtype=torch.float64)
        reached = solve(kind, denoiser, noise, grid)
        found.append((reached - denoiser.exact(noise, grid[0], grid[-1])).abs().max())
    return torch.stack(found)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize(("kind", "order"), [("euler", 1), ("ddim", 1), ("dpm_solver_pp_2m", 2)])
def test_slope_of_the_error_is_the_order(kind: SolverKind, order: int, name: str) -> None:
    error = errors(kind, SCHEDULES[name])
    slopes = (error[:-1] / error[1:]).log2()
    assert (slopes[-2:] - order).abs().max() < 0.25, slopes
    assert error[-1] < error[0]


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_second_order_solver_is_the_most_exact_at_twenty_steps(name: str) -> None:
    second = errors("dpm_solver_pp_2m", SCHEDULES[name])
    for kind in ("euler", "ddim"):
        assert second[0] < errors(kind, SCHEDULES[name])[0]


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("kind", ["euler", "ddim", "dpm_solver_pp_2m"])
def test_from_noise_to_data_a_perfect_denoiser_gives_the_data_distribution(
    kind: SolverKind, name: str
) -> None:
    """Over the whole grid, alpha = 0 at its start and sigma = 0 at its end, in float32."""
    exact = gaussian(SCHEDULES[name])
    denoiser = GaussianDenoiser(exact.schedule, exact.mean.float(), exact.std.float())
    noise = torch.randn(20_000, 3, generator=make_generator(1, "start"))
    samples = solve(kind, denoiser, noise, time_grid(100))
    assert samples.dtype == torch.float32
    torch.testing.assert_close(samples.mean(dim=0), denoiser.mean, atol=0.04, rtol=0)
    torch.testing.assert_close(samples.std(dim=0), denoiser.std, atol=0, rtol=0.04)
