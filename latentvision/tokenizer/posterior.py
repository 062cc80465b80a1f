"""What stands between encoder and decoder: three kinds of latents for one training task.

    sigma-VAE (per_example, fixed)   z = mu + |sigma| eps, sigma given (paper 4.3; core.latents)
    learned                          z = mu + sigma eps, sigma the encoder's: the "MAR VAE" of the
                                     study (paper 5.1.3), whose variance was tuned to 8e-4
    vq                               z is the nearest of some codes (vector_quantizer.py)

`draw` is for training, `means` for everything after it; `means` needs no generator.

B images, N patches, D latent dimension.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Annotated, Literal, NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.latents.kl_vae import (
    KLVAEConfig,
    LearnedPosterior,
    kl_regularizer,
    sample_learned_posterior,
)
from latentspeech.core.latents.sigma_vae import log_sigma_ratio, mean_regularizer, sample_posterior


class LearnedPosteriorConfig(KLVAEConfig):
    """A variance of its own for each element."""

    kind: Literal["learned"] = "learned"
    kl_weight: float = Field(
        5e-5,
        ge=0,
        description="weight of the mean KL divergence, nats; not in the paper: choose it so that "
        "train/posterior_variance settles at the wanted variance",
    )
    initial_variance: float = Field(
        8e-4, gt=0, description="sigma^2 of an untrained encoder; 8e-4 is the study's"
    )


class VQConfig(Config):
    """A codebook (LlamaGen; Sun et al. 2024, arXiv 2406.06525)."""

    kind: Literal["vq"] = "vq"
    num_codes: int = Field(16_384, ge=2, description="vectors of the codebook")
    commitment_weight: float = Field(
        0.25, ge=0, description="weight of the encoder's distance from its codes"
    )


PosteriorConfig = Annotated[
    SigmaVAEConfig | LearnedPosteriorConfig | VQConfig, Field(discriminator="kind")
]


class Drawn(NamedTuple):
    """Latents of a training batch."""

    z: Tensor  # (B, N, D), what the decoder gets
    mu: Tensor  # (B, N, D)
    regularizer: Tensor  # (), weighted
    metrics: Mapping[str, Tensor]  # scalars by name, without their group


class Posterior(nn.Module, ABC):
    """The interface of all kinds."""

    encoder_dim: int
    """The numbers that the encoder gives for a latent."""

    @abstractmethod
    def draw(self, encoded: Tensor, generator: torch.Generator) -> Drawn:
        """Latents with the noise of training, from the encoder's output (B, N, encoder_dim)."""

    @abstractmethod
    def means(self, encoded: Tensor) -> Tensor:
        """Latents without noise (B, N, D), float32."""

    @abstractmethod
    def metrics(self, encoded: Tensor) -> Mapping[str, Tensor]:
        """Scalars to watch, by name; `draw` returns them too."""

    def init_head(self, head: nn.Linear) -> None:
        """Prepares the encoder's last matrix."""


class SigmaPosterior(Posterior):
    """The noise's scale is given."""

    def __init__(self, config: SigmaVAEConfig, latent_dim: int) -> None:
        super().__init__()
        self.config = config
        self.encoder_dim = latent_dim

    def draw(self, encoded: Tensor, generator: torch.Generator) -> Drawn:
        """Noise of the given scale."""
        mu = encoded.float()
        z = sample_posterior(self.config, mu, generator)
        return Drawn(z, mu, mean_regularizer(self.config, mu), self.metrics(encoded))

    def means(self, encoded: Tensor) -> Tensor:
        """The encoder's output itself."""
        return encoded.float()

    def metrics(self, encoded: Tensor) -> Mapping[str, Tensor]:
        """How large the means are beside the noise; without noise there is nothing to compare."""
        if not self.config.sigma_std:
            return {}
        return {"log_std_mu_over_sigma": log_sigma_ratio(self.config, encoded)}


class LearnedVariance(Posterior):
    """The noise's scale is the encoder's."""

    def __init__(self, config: LearnedPosteriorConfig, latent_dim: int) -> None:
        super().__init__()
        self.config = config
        self.latent_dim = latent_dim
        self.encoder_dim = 2 * latent_dim

    def draw(self, encoded: Tensor, generator: torch.Generator) -> Drawn:
        """Noise of the scale that the encoder chose."""
        posterior = LearnedPosterior.from_encoder(encoded, self.latent_dim)
        z = sample_learned_posterior(posterior, generator)
        regularizer = kl_regularizer(self.config, posterior)
        return Drawn(z, posterior.mu, regularizer, self.metrics(encoded))

    def means(self, encoded: Tensor) -> Tensor:
        """The first half of the encoder's output."""
        return LearnedPosterior.from_encoder(encoded, self.latent_dim).mu

    def metrics(self, encoded: Tensor) -> Mapping[str, Tensor]:
        """The mean variance, and the ratio of the means' deviation to its root."""
        mu, log_variance = LearnedPosterior.from_encoder(encoded.detach(), self.latent_dim)
        variance = log_variance.exp().mean()
        spread = mu.flatten(0, 1).var(dim=0, correction=0).mean()
        ratio = 0.5 * (spread.log() - variance.log())
        return {"posterior_variance": variance, "log_std_mu_over_sigma": ratio}

    def init_head(self, head: nn.Linear) -> None:
        """Starts all variances near the wanted one."""
        nn.init.constant_(head.bias[self.latent_dim :], math.log(self.config.initial_variance))
