from collections.abc import Callable, Iterator
from functools import partial
from typing import get_args

import pytest
import torch
from torch import Tensor

from latentspeech.core.diffusion.config import CosineDDPMConfig, FlowMatchingConfig
from latentspeech.core.diffusion.schedules import NoiseSchedule, build_schedule
from latentspeech.core.diffusion.solver_steps import SolverKind
from latentspeech.core.diffusion.solvers import solve, time_grid
from latentspeech.core.errors import ConfigError
from tests.reference.diffusion_gaussian import GaussianDenoiser

KINDS = get_args(SolverKind)
COSINE = build_schedule(CosineDDPMConfig())
FLOW = build_schedule(FlowMatchingConfig())


class Recorder:
    """A denoiser that always answers `x0` and notes what it was asked."""

    def __init__(self, schedule: NoiseSchedule, x0: Tensor) -> None:
        self.schedule = schedule
        self.x0 = x0
        self.times: list[float] = []
        self.dtypes: list[torch.dtype] = []

    def at(self, times: Tensor) -> Iterator[Callable[[Tensor], Tensor]]:
        for t in times:
            self.times.append(t.item())
            yield partial(self.answer, t)

    def answer(self, t: Tensor, x_t: Tensor) -> Tensor:
        self.dtypes += [x_t.dtype, t.dtype]
        return self.x0


def test_the_grid_falls_evenly_from_noise_to_data() -> None:
    torch.testing.assert_close(time_grid(4), torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0]))
    assert time_grid(1).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("num_steps", [0, -3])
def test_less_than_one_step_is_refused(num_steps: int) -> None:
    with pytest.raises(ConfigError, match=f"num_steps is {num_steps}"):
        time_grid(num_steps)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("schedule", [COSINE, FLOW], ids=["cosine", "flow"])
def test_one_evaluation_a_step_at_the_times_of_the_grid(
    kind: SolverKind, schedule: NoiseSchedule
) -> None:
    denoiser = Recorder(schedule, torch.zeros(2, 3))
    grid = time_grid(5)
    solve(kind, denoiser, torch.randn(2, 3), grid)
    assert denoiser.times == grid[:-1].tolist()
    assert set(denoiser.dtypes) == {torch.float32}


@pytest.mark.parametrize("num_steps", [1, 2, 3, 20])
@pytest.mark.parametrize("kind", ["ddim", "dpm_solver_pp_2m"])
@pytest.mark.parametrize("schedule", [COSINE, FLOW], ids=["cosine", "flow"])
def test_the_end_of_the_grid_is_the_denoised_estimate_itself(
    schedule: NoiseSchedule, kind: SolverKind, num_steps: int
) -> None:
    """From alpha = 0 to sigma = 0, where lambda is infinite at both ends."""
    x0 = torch.randn(4, 3)
    reached = solve(kind, Recorder(schedule, x0), torch.randn(4, 3), time_grid(num_steps))
    torch.testing.assert_close(reached, x0)


def test_euler_and_ddim_agree_for_flow_matching() -> None:
    """Its paths are straight, so mixing x_0 and noise anew is a step along the velocity."""
    denoiser = GaussianDenoiser(FLOW, torch.tensor([0.5, -1.0]), torch.tensor([0.3, 1.2]))
    start = torch.randn(6, 2)
    euler, ddim = (solve(kind, denoiser, start, time_grid(7)) for kind in ("euler", "ddim"))
    torch.testing.assert_close(euler, ddim)


def test_two_steps_of_dpm_solver_equal_the_published_update() -> None:
    """Lu et al. 2022, Algorithm 2, with its exponentials written out."""
    denoiser = GaussianDenoiser(
        COSINE, torch.tensor([0.5], dtype=torch.float64), torch.tensor([0.7], dtype=torch.float64)
    )
    grid = torch.tensor([0.9, 0.6, 0.4], dtype=torch.float64)
    x = torch.tensor([[1.3]], dtype=torch.float64)
    alpha, sigma = COSINE.alpha_sigma(grid)
    h = (alpha / sigma).log().diff()
    first = denoiser(x, grid[0])
    middle = sigma[1] / sigma[0] * x - alpha[1] * torch.expm1(-h[0]) * first
    ratio = h[0] / h[1]
    second = (1 + 1 / (2 * ratio)) * denoiser(middle, grid[1]) - 1 / (2 * ratio) * first
    expected = sigma[2] / sigma[1] * middle - alpha[2] * torch.expm1(-h[1]) * second
    torch.testing.assert_close(solve("dpm_solver_pp_2m", denoiser, x, grid), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_solvers_leave_the_start_alone(kind: SolverKind) -> None:
    start = torch.randn(2, 3)
    before = start.clone()
    solve(kind, Recorder(COSINE, torch.zeros(2, 3)), start, time_grid(3))
    assert torch.equal(start, before)


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_is_float32_even_from_a_bfloat16_start(kind: SolverKind) -> None:
    start = torch.randn(2, 3).bfloat16()
    found = solve(kind, Recorder(FLOW, torch.zeros_like(start)), start, time_grid(3))
    assert found.dtype == torch.float32
