"""The numbers of a solver's course in numpy, for a runtime without torch.

It is the mathematics of schedules.py and process.py at the few times of a grid; the tests hold the
two together.

S steps of a solver.
"""

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.diffusion.config import (
    EPSILON_START,
    MAX_PERIOD,
    MIN_ALPHA,
    TIME_SCALE,
    CosineDDPMConfig,
    DiffusionConfig,
    FlowMatchingConfig,
    PredictionType,
)
from latentspeech.core.diffusion.solver_steps import Level, SolverKind, steps_between

Floats = NDArray[np.floating[Any]]


class Levels(NamedTuple):
    """Amplitudes of data and noise at some times, and their derivatives by the time."""

    alpha: Floats
    sigma: Floats
    d_alpha: Floats
    d_sigma: Floats


def time_grid(config: DiffusionConfig, num_steps: int) -> Floats:
    """Times from noise to data in equal steps, (S + 1,)."""
    start = EPSILON_START if config.prediction_type == "epsilon" else 1.0
    return even_steps(1.0, 0.0, num_steps + 1) * np.float32(start)


def even_steps(start: float, end: float, count: int) -> Floats:
    """`count` numbers from start to end, rounded as torch.linspace rounds them."""
    step = float((np.float32(end) - np.float32(start)) / np.float32(count - 1))
    place = np.arange(count, dtype=np.float64)
    up, down = float(start) + step * place, float(end) - step * (count - 1 - place)
    return np.where(place < count // 2, up, down).astype(np.float32)


def levels_at(config: CosineDDPMConfig | FlowMatchingConfig, t: Floats) -> Levels:
    """The schedule at times t (N,)."""
    match config:
        case CosineDDPMConfig():
            return Levels(*(part.astype(np.float32) for part in _cosine_levels(config, t)))
        case FlowMatchingConfig():
            one = np.ones_like(t)
            return Levels(1 - t, t, -one, one)


def solver_coefficients(config: DiffusionConfig, kind: SolverKind, num_steps: int) -> Floats:
    """Of each step: a and b of x_0 = a x_t + b prediction, then the SolverStep, (S, 5)."""
    grid = time_grid(config, num_steps)
    levels = levels_at(config.schedule, grid)
    h = np.diff(grid, append=grid[-1:])
    rows = zip(*(column.tolist() for column in (*levels, h)), strict=True)
    steps = steps_between(kind, [Level(*row) for row in rows])
    a, b = x0_coefficients(config.prediction_type, levels.alpha[:-1], levels.sigma[:-1])
    return np.column_stack((a, b, np.array(steps, dtype=np.float32)))


def x0_coefficients(kind: PredictionType, alpha: Floats, sigma: Floats) -> tuple[Floats, Floats]:
    """(a, b) of x_0 = a x_t + b prediction where data and noise have these amplitudes."""
    match kind:
        case "epsilon":
            alpha = np.maximum(alpha, np.float32(MIN_ALPHA))
            return 1 / alpha, -sigma / alpha
        case "x0":
            return np.zeros_like(alpha), np.ones_like(alpha)
        case "v_prediction":
            power = alpha * alpha + sigma * sigma
            return alpha / power, -sigma / power
        case "flow":
            return 1 / (alpha + sigma), -sigma / (alpha + sigma)


def time_sinusoids(t: Floats, size: int) -> Floats:
    """Cosines and sines of 1000 t at geometric frequencies; t (N,) -> (N, size)."""
    half = np.arange(size // 2, dtype=np.float32)
    exponents = np.float32(-math.log(MAX_PERIOD)) * half / np.float32(size // 2)
    # An error of the frequency counts up to 1000 times, so it is rounded only once.
    frequencies = np.exp(exponents.astype(np.float64)).astype(np.float32)
    angles = (t[:, None] * np.float32(TIME_SCALE) * frequencies).astype(np.float64)
    return np.concatenate((np.cos(angles), np.sin(angles)), axis=-1).astype(np.float32)


def _cosine_levels(config: CosineDDPMConfig, t: Floats) -> tuple[NDArray[np.float64], ...]:
    table = _cosine_angles(config)
    place = t.astype(np.float64) * config.num_train_steps
    # Times like 0.6 are not exact in float32; without this they could fall just below an entry.
    nearest = np.round(place)
    place = np.where(np.abs(place - nearest) < 1e-4, nearest, place)
    lower = np.clip(np.floor(place), 0, config.num_train_steps - 1).astype(np.int64)
    slope = table[lower + 1] - table[lower]
    angle = table[lower] + (place - lower) * slope
    slope = slope * config.num_train_steps
    return np.cos(angle), np.sin(angle), -np.sin(angle) * slope, np.cos(angle) * slope


@functools.lru_cache(maxsize=4)
def _cosine_angles(config: CosineDDPMConfig) -> NDArray[np.float64]:
    """The table of arccos(sqrt(alpha_bar)), (N + 1,), as in CosineDDPM."""
    steps = config.num_train_steps
    n = np.arange(steps + 1, dtype=np.float64)
    f = np.cos((n / steps + config.offset) / (1 + config.offset) * math.pi / 2) ** 2
    betas = np.minimum(1 - f[1:] / f[:-1], config.beta_max)
    alpha_bar = np.concatenate(([1.0], np.cumprod(1 - betas)))
    angles: NDArray[np.float64] = np.arccos(np.sqrt(alpha_bar))
    return angles
