"""Solvers of the reverse process, on a grid of times from noise to data.

Each follows the probability-flow ODE dx/dt = alpha' x_0(x, t) + sigma' eps(x, t), where
eps = (x - alpha x_0) / sigma. All are linear in the state and in the estimates of x_0:

    x_next = a x + b x_0 + c x_0_previous

so a solver is a table of a, b and c, which depends on schedule and grid alone.

- euler: one step along that derivative; first order.
- ddim (Song et al. 2021, arXiv 2010.02502): x_next = alpha_next x_0 + sigma_next eps, exact for a
  constant x_0; first order.
- dpm_solver_pp_2m (Lu et al. 2022, arXiv 2211.01095): DDIM with x_0 extrapolated in
  lambda = log(alpha / sigma) from the last two steps; second order. First step and last step are
  DDIM's.

The state is float32 (float64 if the start is). Coefficients are numbers of the host, where they
cost no wait and no operation.

N latents, D latent dimension, S steps.
"""

import functools
import math
from typing import Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from latentspeech.core.diffusion.schedules import NoiseSchedule
from latentspeech.core.errors import ConfigError

SolverKind = Literal["euler", "ddim", "dpm_solver_pp_2m"]

TINY = 1e-8  # of noise, to divide by


class Denoiser(Protocol):
    """The estimate of the data behind a noisy state."""

    @property
    def schedule(self) -> NoiseSchedule:
        """The schedule the estimate belongs to."""

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t (N, D) at time t () -> x_0 (N, D)."""


class SolverStep(NamedTuple):
    """x_next = of_state x + of_x0 x_0 + of_previous x_0_previous."""

    of_state: float
    of_x0: float
    of_previous: float  # 0 at the first step


def time_grid(num_steps: int) -> Tensor:
    """Times from noise to data in equal steps, float32 (S + 1,)."""
    if num_steps < 1:
        raise ConfigError(f"num_steps is {num_steps}; expected at least 1")
    return torch.linspace(1, 0, num_steps + 1)


def solve(kind: SolverKind, denoiser: Denoiser, start: Tensor, grid: Tensor) -> Tensor:
    """Runs the solver named by `kind`; start (N, D) at grid[0] -> (N, D) at grid[-1]."""
    x = start if start.dtype == torch.float64 else start.float()
    previous: Tensor | None = None
    for time, step in zip(grid[:-1], solver_steps(kind, denoiser.schedule, grid), strict=True):
        x0 = denoiser(x, time)
        x = torch.add(step.of_state * x, x0, alpha=step.of_x0)
        if previous is not None and step.of_previous:
            x = torch.add(x, previous, alpha=step.of_previous)
        previous = x0
    return x


def solver_steps(kind: SolverKind, schedule: NoiseSchedule, grid: Tensor) -> tuple[SolverStep, ...]:
    """The S steps of a solver on a grid (S + 1,); the same few are asked for again and again."""
    return _steps_at(kind, schedule, tuple(grid.tolist()), grid.dtype)


@functools.lru_cache(maxsize=64)
def _steps_at(
    kind: SolverKind, schedule: NoiseSchedule, times: tuple[float, ...], dtype: torch.dtype
) -> tuple[SolverStep, ...]:
    grid = torch.tensor(times, dtype=dtype)
    alphas, sigmas = (values.tolist() for values in schedule.alpha_sigma(grid))
    match kind:
        case "euler":
            d_alphas, d_sigmas = (values.tolist() for values in schedule.derivatives(grid))
            steps = zip(grid.diff().tolist(), alphas, sigmas, d_alphas, d_sigmas, strict=False)
            return tuple(_euler_step(*values) for values in steps)
        case "ddim":
            extrapolations = [0.0] * (len(times) - 1)
        case "dpm_solver_pp_2m":
            extrapolations = _extrapolations(alphas, sigmas)
    levels = zip(alphas, sigmas, alphas[1:], sigmas[1:], extrapolations, strict=False)
    return tuple(_ddim_step(*values) for values in levels)


def _euler_step(h: float, alpha: float, sigma: float, d_alpha: float, d_sigma: float) -> SolverStep:
    """x_next = x + h dx/dt."""
    growth = h * d_sigma / max(sigma, TINY)
    return SolverStep(1 + growth, h * d_alpha - growth * alpha, 0.0)


def _ddim_step(
    alpha: float, sigma: float, alpha_next: float, sigma_next: float, extrapolation: float
) -> SolverStep:
    """The noise in x, as far as it is kept, and x_0 + extrapolation (x_0 - x_0_previous)."""
    kept = sigma_next / max(sigma, TINY)
    added = alpha_next - kept * alpha
    return SolverStep(kept, added * (1 + extrapolation), -added * extrapolation)


def _extrapolations(alphas: list[float], sigmas: list[float]) -> list[float]:
    """h / (2 h_previous) of each step, h steps in lambda; 0 where there is none to rely on."""
    # -inf at pure noise, +inf at data
    lambdas = [_log(alpha) - _log(sigma) for alpha, sigma in zip(alphas, sigmas, strict=True)]
    found = [0.0]
    for before, now, after in zip(lambdas, lambdas[1:], lambdas[2:], strict=False):
        found.append((after - now) / (2 * (now - before)) if math.isfinite(after) else 0.0)
    return found


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
