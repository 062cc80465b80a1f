"""The solver's course in numpy is the one that torch computes."""

from typing import Any, get_args

import numpy as np
import pytest
import torch

from latentspeech.core.diffusion import host_schedule
from latentspeech.core.diffusion.config import DiffusionConfig, FlowMatchingConfig, PredictionType
from latentspeech.core.diffusion.head import time_sinusoids
from latentspeech.core.diffusion.process import DiffusionProcess
from latentspeech.core.diffusion.solver_steps import SolverKind
from latentspeech.core.diffusion.solvers import solver_steps


@pytest.mark.parametrize("kind", get_args(SolverKind))
@pytest.mark.parametrize("prediction_type", get_args(PredictionType))
@pytest.mark.parametrize("schedule", [{}, {"schedule": FlowMatchingConfig()}])
def test_grid_and_coefficients_are_those_of_torch(
    kind: SolverKind, prediction_type: PredictionType, schedule: dict[str, Any]
) -> None:
    config = DiffusionConfig(prediction_type=prediction_type, **schedule)
    process = DiffusionProcess(config)
    for num_steps in (1, 3, 20, 37):
        grid = process.grid(num_steps)
        assert np.array_equal(host_schedule.time_grid(config, num_steps), grid.numpy())
        steps = torch.tensor(solver_steps(kind, process.schedule, grid))
        expected = torch.column_stack((*process.x0_coefficients(grid[:-1]), steps)).numpy()
        found = host_schedule.solver_coefficients(config, kind, num_steps)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_times_are_embedded_alike() -> None:
    times = torch.linspace(0, 1, 50)
    found = host_schedule.time_sinusoids(times.numpy(), 256)
    np.testing.assert_allclose(found, time_sinusoids(times, 256).numpy(), rtol=0, atol=1e-4)


@pytest.mark.parametrize("count", [2, 3, 180, 1001])
def test_even_steps_are_those_of_torch(count: int) -> None:
    """To the last bit on the grid of a solver."""
    steps = host_schedule.even_steps
    assert np.array_equal(steps(1.0, 0.0, count), torch.linspace(1, 0, count).numpy())
    expected = torch.linspace(3.912023, 6.3969297, count).numpy()
    np.testing.assert_allclose(steps(3.912023, 6.3969297, count), expected, rtol=1.2e-7)
