"""The numbers a, b and c of a solver's steps, on a grid of times from noise to data.

Each solver follows the probability-flow ODE dx/dt = alpha' x_0(x, t) + sigma' eps(x, t), where
eps = (x - alpha x_0) / sigma. Each evaluates the network once a step, and the next state is linear
in the current state and in the estimates of x_0:

    x_next = a x + b x_0 + c x_0_previous

They are Python floats, so that they need no operation of a device and no wait for it.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

SolverKind = Literal["euler", "ddim", "dpm_solver_pp_2m"]

TINY = 1e-8  # smallest sigma that we divide by


class Level(NamedTuple):
    """The schedule at one time of the grid."""

    alpha: float
    sigma: float
    d_alpha: float  # d alpha / dt
    d_sigma: float
    h: float  # from this time to the next of the grid

    @property
    def log_snr(self) -> float:
        """Lambda = log(alpha / sigma): -inf at pure noise, +inf at data."""
        return _log(self.alpha) - _log(self.sigma)


class SolverStep(NamedTuple):
    """x_next = of_state x + of_x0 x_0 + of_previous x_0_previous."""

    of_state: float
    of_x0: float
    of_previous: float = 0.0  # 0 at the first step


def euler(levels: Sequence[Level]) -> Iterator[SolverStep]:
    """x_next = x + h dx/dt; first order."""
    for now in levels[:-1]:
        growth = now.h * now.d_sigma / max(now.sigma, TINY)
        yield SolverStep(1 + growth, now.h * now.d_alpha - growth * now.alpha)


def ddim(levels: Sequence[Level]) -> Iterator[SolverStep]:
    """x_next = alpha_next x_0 + sigma_next eps (Song et al. 2021, arXiv 2010.02502).

    Exact if x_0 is constant; first order.
    """
    for now, after in pairwise(levels):
        kept = after.sigma / max(now.sigma, TINY)
        yield SolverStep(kept, after.alpha - kept * now.alpha)


def dpm_solver_pp_2m(levels: Sequence[Level]) -> Iterator[SolverStep]:
    """DPM-Solver++(2M) (Lu et al. 2022, arXiv 2211.01095, Algorithm 2); second order.

    Each step is a DDIM step with x_0 + r (x_0 - x_0_previous) in place of x_0, where
    r = h / (2 h_previous) and h is the step in lambda. The first step, which has no previous
    estimate, and a last step to sigma = 0, whose h is infinite, are plain DDIM steps.
    """
    lambdas = [level.log_snr for level in levels]
    steps = ddim(levels)
    yield next(steps)
    triples = zip(lambdas, lambdas[1:], lambdas[2:], strict=False)
    for step, (before, now, after) in zip(steps, triples, strict=True):
        r = (after - now) / (2 * (now - before)) if math.isfinite(after) else 0.0
        yield SolverStep(step.of_state, step.of_x0 * (1 + r), -step.of_x0 * r)


def steps_between(kind: SolverKind, levels: Sequence[Level]) -> tuple[SolverStep, ...]:
    """The S steps of a solver between S + 1 levels."""
    match kind:
        case "euler":
            return tuple(euler(levels))
        case "ddim":
            return tuple(ddim(levels))
        case "dpm_solver_pp_2m":
            return tuple(dpm_solver_pp_2m(levels))


def _log(value: float) -> float:
    return math.log(value) if value > 0 else -math.inf
