"""Solvers of the reverse process: pure functions of (denoiser, start, time grid).

Each follows the probability-flow ODE dx/dt = alpha' x_0(x, t) + sigma' eps(x, t) from noise to
data.

- euler: one step along that derivative; first order.
- ddim (Song et al. 2021, arXiv 2010.02502): exact for a constant x_0; first order.
- dpm_solver_pp_2m (Lu et al. 2022, arXiv 2211.01095): DDIM with x_0 extrapolated in
  lambda = log(alpha / sigma) from the last two steps; second order. First step and last step are
  DDIM's.

The state is float32 (float64 if the start is). Times and amplitudes are numbers of the host, where
they cost no wait and no operation.

N latents, D latent dimension, S steps.
"""

import functools
import math
from typing import Literal, Protocol

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


def time_grid(num_steps: int) -> Tensor:
    """Times from noise to data in equal steps, float32 (S + 1,)."""
    if num_steps < 1:
        raise ConfigError(f"num_steps is {num_steps}; expected at least 1")
    return torch.linspace(1, 0, num_steps + 1)


def solve(kind: SolverKind, denoiser: Denoiser, start: Tensor, grid: Tensor) -> Tensor:
    """Runs the solver named by `kind`; start (N, D) at grid[0] -> (N, D) at grid[-1]."""
    match kind:
        case "euler":
            return euler(denoiser, start, grid)
        case "ddim":
            return ddim(denoiser, start, grid)
        case "dpm_solver_pp_2m":
            return dpm_solver_pp_2m(denoiser, start, grid)


def euler(denoiser: Denoiser, start: Tensor, grid: Tensor) -> Tensor:
    """x_next = x + (t_next - t) dx/dt."""
    x = _state(start)
    alphas, sigmas = _amplitudes(denoiser.schedule, grid)
    d_alphas, d_sigmas = (d.tolist() for d in denoiser.schedule.derivatives(grid))
    for i, h in enumerate(grid.diff().tolist()):
        x0 = denoiser(x, grid[i])
        noise = (x - alphas[i] * x0) / max(sigmas[i], TINY)
        x = x + h * (d_alphas[i] * x0 + d_sigmas[i] * noise)
    return x


def ddim(denoiser: Denoiser, start: Tensor, grid: Tensor) -> Tensor:
    """x_next = alpha_next x_0 + sigma_next eps."""
    x = _state(start)
    alphas, sigmas = _amplitudes(denoiser.schedule, grid)
    for i in range(len(grid) - 1):
        x = _ddim_step(denoiser(x, grid[i]), x, alphas[i : i + 2], sigmas[i : i + 2])
    return x


def dpm_solver_pp_2m(denoiser: Denoiser, start: Tensor, grid: Tensor) -> Tensor:
    """DDIM with x_0 + (x_0 - x_0_previous) h / (2 h_previous), h steps in lambda."""
    x = _state(start)
    previous: Tensor | None = None
    alphas, sigmas = _amplitudes(denoiser.schedule, grid)
    # -inf at pure noise, +inf at data
    lambdas = [_log(alpha) - _log(sigma) for alpha, sigma in zip(alphas, sigmas, strict=True)]
    for i in range(len(grid) - 1):
        x0 = denoiser(x, grid[i])
        estimate = x0
        if previous is not None and math.isfinite(lambdas[i + 1]):
            h, h_previous = lambdas[i + 1] - lambdas[i], lambdas[i] - lambdas[i - 1]
            estimate = torch.lerp(previous, x0, 1 + h / (2 * h_previous))
        x = _ddim_step(estimate, x, alphas[i : i + 2], sigmas[i : i + 2])
        previous = x0
    return x


def _ddim_step(x0: Tensor, x: Tensor, alphas: list[float], sigmas: list[float]) -> Tensor:
    """From the first to the second of two times: the noise in x, as far as it is kept, and x_0."""
    kept = sigmas[1] / max(sigmas[0], TINY)
    return torch.add(kept * x, x0, alpha=alphas[1] - kept * alphas[0])


def _amplitudes(schedule: NoiseSchedule, grid: Tensor) -> tuple[list[float], list[float]]:
    """alpha and sigma at the times of a grid; the same few grids are asked for again and again."""
    return _amplitudes_at(schedule, tuple(grid.tolist()), grid.dtype)


@functools.lru_cache(maxsize=64)
def _amplitudes_at(
    schedule: NoiseSchedule, times: tuple[float, ...], dtype: torch.dtype
) -> tuple[list[float], list[float]]:
    alphas, sigmas = schedule.alpha_sigma(torch.tensor(times, dtype=dtype))
    return alphas.tolist(), sigmas.tolist()


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf


def _state(start: Tensor) -> Tensor:
    return start if start.dtype == torch.float64 else start.float()
