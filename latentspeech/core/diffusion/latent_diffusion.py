"""Next-token diffusion of one modality: schedule, prediction type, loss and sampling around one head.

N latents, D latent dimension, d width of the hidden state.
"""

from dataclasses import dataclass

import torch
from pydantic import Field
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.diffusion.guidance import guide
from latentspeech.core.diffusion.head import DiffusionHead, DiffusionHeadConfig
from latentspeech.core.diffusion.loss import DiffusionLossConfig, diffusion_loss
from latentspeech.core.diffusion.prediction import PredictionType, to_x0
from latentspeech.core.diffusion.schedules import (
    CosineDDPMConfig,
    NoiseSchedule,
    ScheduleConfig,
    build_schedule,
)
from latentspeech.core.diffusion.solvers import SolverKind, solve, time_grid


class DiffusionConfig(Config):
    """The process that the head learns to reverse."""

    schedule: ScheduleConfig = Field(CosineDDPMConfig(), description="how noise grows with time")
    prediction_type: PredictionType = Field("v_prediction", description="what the head predicts")
    loss: DiffusionLossConfig = Field(DiffusionLossConfig(), description="how times are drawn")


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
        cfg_scale: float,
        num_steps: int,
        solver: SolverKind = "dpm_solver_pp_2m",
    ) -> Tensor:
        """Latents for hidden states.

        Args:
            cond: (N, d) hidden states with the condition.
            noise: (N, D) standard normal start, float32.
            uncond: (N, d) hidden states without it; None turns guidance off.
            cfg_scale: how far to go from uncond through cond.
            num_steps: evaluations of the head.
            solver: which integrator.

        Returns:
            (N, D) float32.
        """
        hidden = cond if uncond is None else torch.cat((cond, uncond))
        denoiser = HeadDenoiser(
            head=self.head,
            schedule=self.schedule,
            prediction_type=self.config.prediction_type,
            prepared=self.head.prepare_condition(hidden),
            cfg_scale=None if uncond is None else cfg_scale,
        )
        return solve(solver, denoiser, noise, time_grid(num_steps).to(noise.device))


@dataclass(frozen=True)
class HeadDenoiser:
    """A head with its conditions, as solvers want it."""

    head: DiffusionHead
    schedule: NoiseSchedule
    prediction_type: PredictionType
    prepared: Tensor  # (N, d), or (2 N, d) with the unconditional half last
    cfg_scale: float | None  # None: no guidance

    def __call__(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t (N, D) at time t () -> x_0 (N, D)."""
        x_in = x_t if self.cfg_scale is None else torch.cat((x_t, x_t))
        prediction = self.head.denoise(x_in, t[None], self.prepared).to(x_t.dtype)
        if self.cfg_scale is not None:
            prediction = guide(*prediction.chunk(2), self.cfg_scale)
        alpha, sigma = self.schedule.alpha_sigma(t)
        return to_x0(self.prediction_type, prediction, x_t, alpha, sigma)
