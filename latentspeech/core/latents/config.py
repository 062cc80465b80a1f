"""The settings of the sigma-VAE's posterior and regulariser (sigma_vae.py)."""

import math
from typing import Literal

from pydantic import Field

from latentspeech.core.config import Config


class SigmaVAEConfig(Config):
    """Noise of the posterior and weight of its regulariser."""

    kind: Literal["per_example", "fixed"] = Field(
        "per_example", description="sigma drawn for each example, or one sigma for all (ablation)"
    )
    sigma_std: float = Field(
        ge=0,
        description="per_example: sqrt(C_sigma), 0.625 for speech, 0.9375 for images; E|sigma| is "
        "0.8 times as large. fixed: sigma itself",
    )
    beta: float = Field(0.01, ge=0, description="weight of the mean of mu^2")

    @property
    def mean_abs_sigma(self) -> float:
        """E|sigma|: 0.5 for per_example 0.625, 0.75 for per_example 0.9375."""
        return self.sigma_std * (math.sqrt(2 / math.pi) if self.kind == "per_example" else 1.0)
