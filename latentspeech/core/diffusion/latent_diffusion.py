"""Next-token diffusion of one modality: schedule, target, loss and sampling around one head.

N latents, D latent dimension, d width of the hidden state.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.diffusion.guidance import guide
from latentspeech.core.diffusion.head import DiffusionHead, DiffusionHeadConfig, Modulation
from latentspeech.core.diffusion.loss import DiffusionLossConfig, diffusion_loss
from latentspeech.core.diffusion.prediction import PredictionType, x0_coefficients
from latentspeech.core.diffusion.sampling import LatentSampling
from latentspeech.core.diffusion.schedules import (
    CosineDDPMConfig,
    NoiseSchedule,
    ScheduleConfig,
    build_schedule,
)
from latentspeech.core.diffusion.solvers import solve, time_grid

# At t = 1 there is no signal left, and x_0 = (x - sigma eps) / alpha turns any error of eps into a
# huge x_0. An epsilon head is sampled from here, where alpha is 0.05 (cosine) or 0.03 (flow
# matching) and pure noise is still as good a start.
EPSILON_START = 0.97


class DiffusionConfig(Config):
    """The process that the head learns to reverse."""

    schedule: ScheduleConfig = Field(CosineDDPMConfig(), description="how noise grows with time")
    prediction_type: PredictionType = Field("v_prediction", description="what the head predicts")
    loss: DiffusionLossConfig = Field(DiffusionLossConfig(), description="how times are drawn")


class HeadStep(NamedTuple):
    """What the head needs at one time."""

    of_state: float  # a and b of x_0 = a x_t + b prediction
    of_prediction: float
    modulations: Sequence[Modulation]  # of (N, d), or of (2 N, d), the unconditional half last


class LatentDiffusion(nn.Module):
    """Diffusion(h): P(latent | hidden state)."""

    def __init__(self, config: DiffusionConfig, head: DiffusionHeadConfig) -> None:
        super().__init__()
        self.config = config
        self.head = DiffusionHead(head)
        self.schedule = build_schedule(config.schedule)

    def loss(self, x0: Tensor, cond: Tensor, generator: torch.Generator) -> Tensor:
        """Equation 2 for each latent: x0 (N, D), cond (N, d) -> (N,)."""
        config = self.config
        return diffusion_loss(
            self.head, self.schedule, config.prediction_type, config.loss, x0, cond, generator
        )

    @torch.no_grad()
    def sample(
        self,
        cond: Tensor,
        noise: Tensor,
        uncond: Tensor | None,
        sampling: LatentSampling,
    ) -> Tensor:
        """Latents for hidden states.

        Args:
            cond: (N, d) hidden states with the condition.
            noise: (N, D) standard normal, float32.
            uncond: (N, d) hidden states without it; not evaluated if `sampling` has no guidance.
            sampling: solver, steps, guidance and the scale of the noise.

        Returns:
            (N, D) float32.
        """
        hidden = sampling.conditions(cond, uncond)
        grid = self.grid(sampling.num_steps)
        denoiser = HeadDenoiser(
            head=self.head,
            schedule=self.schedule,
            steps=self._steps(hidden, grid),
            cfg_scale=sampling.cfg_scale if sampling.guided else None,
        )
        return solve(sampling.solver, denoiser, sampling.noise_scale * noise, grid)

    def grid(self, num_steps: int) -> Tensor:
        """The solver's times from noise to data, float32 (S + 1,)."""
        start = EPSILON_START if self.config.prediction_type == "epsilon" else 1.0
        return time_grid(num_steps) * start

    def _steps(self, hidden: Tensor, grid: Tensor) -> dict[float, HeadStep]:
        """All that does not depend on x_t, for a grid (S + 1,), in one pass over the weights."""
        prepared = self.head.prepare_condition(hidden)  # (N, d)
        layers = self.head.modulations(prepared, grid[:-1, None].to(hidden.device))
        at_steps = [zip(*(part.unbind() for part in layer), strict=True) for layer in layers]
        levels = self.schedule.alpha_sigma(grid[:-1])
        coefficients = x0_coefficients(self.config.prediction_type, *levels)
        numbers = (column.tolist() for column in (grid[:-1], *coefficients))
        rows = zip(*numbers, zip(*at_steps, strict=True), strict=True)
        return {time: HeadStep(a, b, modulations) for time, a, b, modulations in rows}


@dataclass(frozen=True)
class HeadDenoiser:
    """A head with its conditions, as solvers want it."""

    head: DiffusionHead
    schedule: NoiseSchedule
    steps: Mapping[float, HeadStep]  # by time
    cfg_scale: float | None  # None: no guidance

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t (N, D) at time t () -> x_0 (N, D)."""
        x_in = x_t if self.cfg_scale is None else torch.cat((x_t, x_t))
        step = self.steps[float(t)]
        prediction = self.head.denoise(x_in, step.modulations).to(x_t.dtype)
        if self.cfg_scale is not None:
            conditional, unconditional = prediction.chunk(2)
            prediction = guide(conditional, unconditional, self.cfg_scale)
        return torch.add(step.of_state * x_t, prediction, alpha=step.of_prediction)
