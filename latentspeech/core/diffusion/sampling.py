"""Settings for drawing latents from a diffusion head: solver, steps, guidance and noise.

N latents, d width of the hidden state.
"""

from typing import TYPE_CHECKING

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.diffusion.solver_steps import SolverKind
from latentspeech.core.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor


class LatentSampling(Config):
    """The settings with which the latents of one modality are drawn."""

    num_steps: int = Field(
        5, ge=1, description="solver steps a latent; the paper takes 5 for speech, 20 for images"
    )
    solver: SolverKind = Field("dpm_solver_pp_2m", description="integrator of the reverse process")
    cfg_scale: float = Field(
        1.0,
        ge=0,
        description="guidance, uncond + cfg_scale (cond - uncond); 1 is off, which needs no uncond",
    )
    noise_scale: float = Field(
        1.0,
        ge=0,
        description="factor of the normal noise that latents start from; values below 1 bring them "
        "nearer to the mean",
    )

    @property
    def guided(self) -> bool:
        """Whether the head is also evaluated without the condition."""
        return self.cfg_scale != 1

    def conditions(self, cond: "Tensor", uncond: "Tensor | None") -> "Tensor":
        """The hidden states that the head is evaluated on.

        Args:
            cond: (N, d) with the condition.
            uncond: (N, d) without it; unused if there is no guidance.

        Returns:
            (N, d), or with guidance (2 N, d), where the half without the condition comes last.

        Raises:
            ConfigError: there is guidance, but `uncond` is None.
        """
        import torch

        if not self.guided:
            return cond
        if uncond is None:
            raise ConfigError(
                f"cfg_scale = {self.cfg_scale} needs hidden states without the condition and none "
                "were given; give uncond or set cfg_scale to 1"
            )
        return torch.cat((cond, uncond))
