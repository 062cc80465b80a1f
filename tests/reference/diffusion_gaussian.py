"""Gaussian data, for which diffusion has a closed form: x_0 ~ N(mean, std^2) in each channel.

x_t = alpha x_0 + sigma eps is N(alpha mean, alpha^2 std^2 + sigma^2), so the posterior mean of x_0
is linear in x_t and the probability-flow ODE keeps (x_t - alpha mean) / std_t constant.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from latentspeech.core.diffusion.schedules import NoiseSchedule


@dataclass(frozen=True)
class GaussianDenoiser:
    """The exact posterior mean E[x_0 | x_t]."""

    schedule: NoiseSchedule
    mean: Tensor  # (D,)
    std: Tensor  # (D,)

    def at(self, times: Tensor) -> list[Callable[[Tensor], Tensor]]:
        """The denoiser at each of `times`, in the form that solvers take."""
        return [partial(self, t=t) for t in times]

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        alpha, sigma = self.schedule.alpha_sigma(t)
        variance = alpha**2 * self.std**2 + sigma**2
        return self.mean + alpha * self.std**2 / variance * (x_t - alpha * self.mean)

    def exact(self, start: Tensor, t_start: Tensor, t_end: Tensor) -> Tensor:
        """The exact solution (N, D) at t_end of the ODE with the value `start` at t_start."""
        alpha, sigma = self.schedule.alpha_sigma(t_start)
        quantile = (start - alpha * self.mean) / (alpha**2 * self.std**2 + sigma**2).sqrt()
        alpha, sigma = self.schedule.alpha_sigma(t_end)
        return alpha * self.mean + quantile * (alpha**2 * self.std**2 + sigma**2).sqrt()
