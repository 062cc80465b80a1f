"""Solvers of the reverse process, on a grid of times from noise to data.

Each follows the probability-flow ODE dx/dt = alpha' x_0(x, t) + sigma' eps(x, t), where
eps = (x - alpha x_0) / sigma. Each evaluates the network once a step, and the next state is linear
in the current state and in the estimates of x_0:

    x_next = a x + b x_0 + c x_0_previous

So a solver is a function from the levels of the schedule to the numbers a, b and c of its steps.
`solve` applies them; the ONNX graph of a step takes the same numbers.

The state is float32 (float64 if the start is). The numbers a, b and c are Python floats, so that
they need no operation of the device and no wait for it.

B rows, S steps.
"""

import functools
from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import Tensor

from latentspeech.core.diffusion.schedules import NoiseSchedule
from latentspeech.core.diffusion.solver_steps import (
    Level,
    SolverKind,
    SolverStep,
    steps_between,
)
from latentspeech.core.errors import ConfigError


class Denoiser(Protocol):
    """The estimate of the data behind a noisy state."""

    @property
    def schedule(self) -> NoiseSchedule:
        """The schedule the estimate belongs to."""

    def at(self, times: Tensor) -> Iterable[Callable[[Tensor], Tensor]]:
        """Gives for each of the times (S,), in order, a function from x_t to x_0, both (B, ...).

        All times are given at once, so that everything that does not depend on x_t can be computed
        for all of them together.
        """


def time_grid(num_steps: int) -> Tensor:
    """Times from noise to data in equal steps, float32 (S + 1,)."""
    if num_steps < 1:
        raise ConfigError(f"num_steps is {num_steps}; expected at least 1")
    return torch.linspace(1, 0, num_steps + 1)


def solve(kind: SolverKind, denoiser: Denoiser, start: Tensor, grid: Tensor) -> Tensor:
    """Runs the solver named by `kind`; start (B, ...) at grid[0] -> (B, ...) at grid[-1]."""
    x = start if start.dtype == torch.float64 else start.float()
    previous: Tensor | None = None
    steps = solver_steps(kind, denoiser.schedule, grid)
    for denoise, step in zip(denoiser.at(grid[:-1]), steps, strict=True):
        x0 = denoise(x)
        x = torch.add(step.of_state * x, x0, alpha=step.of_x0)
        if previous is not None and step.of_previous:
            x = torch.add(x, previous, alpha=step.of_previous)
        previous = x0
    return x


def solver_steps(kind: SolverKind, schedule: NoiseSchedule, grid: Tensor) -> tuple[SolverStep, ...]:
    """The S steps of a solver on a grid (S + 1,), cached since the same few are used repeatedly."""
    return _steps_at(kind, schedule, tuple(grid.tolist()), grid.dtype)


@functools.lru_cache(maxsize=64)
def _steps_at(
    kind: SolverKind, schedule: NoiseSchedule, times: tuple[float, ...], dtype: torch.dtype
) -> tuple[SolverStep, ...]:
    grid = torch.tensor(times, dtype=dtype)
    h = grid.diff(append=grid[-1:])  # 0 at the end
    columns = (*schedule.alpha_sigma(grid), *schedule.derivatives(grid), h)
    levels = [Level(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]
    return steps_between(kind, levels)
