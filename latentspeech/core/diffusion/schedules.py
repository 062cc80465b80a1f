"""Noise schedules: how much data and how much noise at time t, x_t = alpha(t) x_0 + sigma(t) eps.

t is 0 at data and 1 at noise. The paper trains with cosine DDPM (Nichol and Dhariwal 2021, arXiv
2102.09672), which has 1000 steps; its alternative is flow matching (Lipman et al. 2022, arXiv
2210.02747). Everything here is float32 or better whatever the model's dtype, because in bfloat16
a thousand times collapse to about five hundred.

N times.
"""

import math
from typing import Protocol

import torch
from torch import Tensor

from latentspeech.core.diffusion.config import CosineDDPMConfig, FlowMatchingConfig


class NoiseSchedule(Protocol):
    """Data and noise amplitudes as functions of time."""

    def __hash__(self) -> int:
        """Solvers cache their steps by schedule, so a schedule must be hashable."""

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(alpha, sigma) at times t in [0, 1], each float and of t's shape."""

    def derivatives(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """(d alpha / dt, d sigma / dt) at times t, each of t's shape."""

    def quantize(self, t: Tensor) -> Tensor:
        """Rounds t up to a time that training uses; continuous schedules return t itself."""


class CosineDDPM:
    """A table of alpha_bar, where entry 0 is clean data and entry n the state after n steps.

    Between entries the angle arctan(sigma / alpha) is interpolated, so solvers may use any grid.
    """

    def __init__(self, config: CosineDDPMConfig) -> None:
        steps = config.num_train_steps
        # On the CPU even if the model is made on the meta device, because no checkpoint fills it.
        n = torch.arange(steps + 1, dtype=torch.float64, device="cpu")
        f = ((n / steps + config.offset) / (1 + config.offset) * math.pi / 2).cos().square()
        betas = (1 - f[1:] / f[:-1]).clamp(max=config.beta_max)
        alpha_bar = torch.cat((torch.ones_like(n[:1]), (1 - betas).cumprod(0)))
        self.num_train_steps = steps
        self.angles = alpha_bar.sqrt().acos()  # (N + 1,) float64
        self._on_device: dict[torch.device, Tensor] = {}

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """Cosine and sine of the angle at t."""
        angle = self._angle(t)[0]
        return angle.cos().to(_real(t)), angle.sin().to(_real(t))

    def derivatives(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The derivatives of the cosine and sine of the interpolated angle."""
        angle, slope = self._angle(t)
        return (-angle.sin() * slope).to(_real(t)), (angle.cos() * slope).to(_real(t))

    def quantize(self, t: Tensor) -> Tensor:
        """Rounds t up to a training time n / N of the DDPM, n = 1 .. N."""
        steps = self.num_train_steps
        return (t * steps).ceil().clamp(1, steps) / steps

    def _angle(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """The angle at t and its derivative."""
        if t.device not in self._on_device:
            self._on_device[t.device] = self.angles.to(t.device)
        table = self._on_device[t.device]
        place = t.double() * self.num_train_steps
        # Times like 0.6 are not exact in float32; without this they could fall just below an entry.
        nearest = place.round()
        place = torch.where((place - nearest).abs() < 1e-4, nearest, place)
        lower = place.floor().clamp(0, self.num_train_steps - 1).long()
        slope = table[lower + 1] - table[lower]
        return table[lower] + (place - lower) * slope, slope * self.num_train_steps


class FlowMatching:
    """Straight lines from data to noise."""

    def alpha_sigma(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """1 - t and t."""
        t = t.to(_real(t))
        return 1 - t, t

    def derivatives(self, t: Tensor) -> tuple[Tensor, Tensor]:
        """-1 and 1."""
        one = torch.ones_like(t, dtype=_real(t))
        return -one, one

    def quantize(self, t: Tensor) -> Tensor:
        """Returns t itself, because time is continuous."""
        return t


def build_schedule(config: CosineDDPMConfig | FlowMatchingConfig) -> NoiseSchedule:
    """The schedule that `config.kind` names."""
    match config:
        case CosineDDPMConfig():
            return CosineDDPM(config)
        case FlowMatchingConfig():
            return FlowMatching()


def _real(t: Tensor) -> torch.dtype:
    return torch.float64 if t.dtype == torch.float64 else torch.float32
