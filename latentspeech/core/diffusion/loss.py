"""The diffusion loss of a latent given its hidden state (paper Equation 2, section 3.2).

Several times and noises are drawn for each latent, typically four, while the backbone runs once:
hidden state and target are repeated for the head alone.

N latents, D latent dimension, R noise draws.
"""

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.diffusion.head import DiffusionHead
from latentspeech.core.diffusion.prediction import PredictionType, training_target
from latentspeech.core.diffusion.schedules import NoiseSchedule
from latentspeech.core.tensors import randn


class DiffusionLossConfig(Config):
    """How times are drawn."""

    num_noise_draws: int = Field(4, ge=1, description="R, times and noises for each latent")
    time_sampling: Literal["uniform", "logit_normal"] = Field(
        "uniform", description="uniform in [0, 1], or the logistic of a normal"
    )
    logit_mean: float = Field(0.0, description="mean of the normal; above 0 favours noise")
    logit_std: float = Field(1.0, gt=0, description="standard deviation of the normal")

    @model_validator(mode="after")
    def _check(self) -> "DiffusionLossConfig":
        shaped = self.logit_mean != 0.0 or self.logit_std != 1.0
        if self.time_sampling == "uniform" and shaped:
            raise ValueError("logit_mean and logit_std have no effect with uniform times")
        return self


def sample_times(config: DiffusionLossConfig, count: int, generator: torch.Generator) -> Tensor:
    """Float32 times in [0, 1], (count,), on the generator's device."""
    if config.time_sampling == "uniform":
        return torch.rand(count, generator=generator, device=generator.device)
    normal = torch.randn(count, generator=generator, device=generator.device)
    return torch.sigmoid(config.logit_mean + config.logit_std * normal)


def diffusion_loss(
    head: DiffusionHead,
    schedule: NoiseSchedule,
    prediction_type: PredictionType,
    config: DiffusionLossConfig,
    x0: Tensor,
    hidden: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """Squared error for each latent, the mean over its D channels and R draws.

    Args:
        x0: (N, D) normalised latents.
        hidden: (N, d) the states that predict them; gradients flow into them.
        generator: draws times and noise.

    Returns:
        (N,) float32.
    """
    draws = config.num_noise_draws
    x0 = x0.float().repeat_interleave(draws, dim=0)  # (N R, D)
    t = schedule.quantize(sample_times(config, len(x0), generator)).to(x0.device)  # (N R,)
    noise = randn(tuple(x0.shape), generator, like=x0)
    alpha, sigma = (value[:, None] for value in schedule.alpha_sigma(t))
    x_t = alpha * x0 + sigma * noise
    target = training_target(prediction_type, x0, noise, alpha, sigma)
    error = (head(x_t, t, hidden, draws).float() - target).square()
    return error.mean(dim=1).view(-1, draws).mean(dim=1)
