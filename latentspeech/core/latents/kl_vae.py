"""A posterior whose variance is learned, for the tokenizer study (paper sections 4.1 and 4.2).

    z = mu + sigma eps,  eps ~ N(0, I);  mu and log sigma^2 are the encoder's, element by element
    loss = reconstruction + kl_weight KL(N(mu, sigma^2) || N(0, I))

This is the VAE of Kingma and Welling (2013, arXiv 1312.6114). The tokenizers of earlier latent
diffusion models are such VAEs with a very small weight, and their variance collapses: they are the
star-shaped points of Figure 5 ("MAR-VAE"). The sigma-VAE (sigma_vae.py) avoids this. Like its
regulariser, this one is a mean over valid frames and channels, so its weight does not depend on
length or latent_dim.

B batch, T frames, D latent size.
"""

from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.latents.sigma_vae import mean_over_frames
from latentspeech.core.tensors import check_shape, randn

LOG_VARIANCE_RANGE = (-30.0, 20.0)  # beyond it exp() would be 0 or would lose all precision


class KLVAEConfig(Config):
    """Weight of the regulariser."""

    kl_weight: float = Field(
        ge=0, description="factor of the KL divergence, nats, a mean over frames and channels"
    )


class LearnedPosterior(NamedTuple):
    """N(mu, sigma^2) with its own mean and variance for each element."""

    mu: Tensor  # (B, T, D)
    log_variance: Tensor  # (B, T, D), log sigma^2

    @classmethod
    def from_encoder(cls, output: Tensor, latent_dim: int) -> "LearnedPosterior":
        """Splits the encoder's output (B, T, 2 D) into means and log variances, within a range."""
        check_shape("encoder output", output, "B", "T", 2 * latent_dim)
        mu, log_variance = output.float().chunk(2, dim=-1)
        return cls(mu, log_variance.clamp(*LOG_VARIANCE_RANGE))


def sample_learned_posterior(posterior: LearnedPosterior, generator: torch.Generator) -> Tensor:
    """z = mu + sigma eps: float32 (B, T, D), with gradients into both moments."""
    noise = randn(tuple(posterior.mu.shape), generator, like=posterior.mu)
    return posterior.mu + (0.5 * posterior.log_variance).exp() * noise


def kl_regularizer(
    config: KLVAEConfig, posterior: LearnedPosterior, mask: Tensor | None = None
) -> Tensor:
    """`kl_weight` times the mean KL(N(mu, sigma^2) || N(0, I)): mask (B, T) -> ().

    0 if no frame is valid.
    """
    mu, log_variance = posterior
    kl = 0.5 * (mu.square() + log_variance.exp() - 1 - log_variance)  # (B, T, D)
    return config.kl_weight * mean_over_frames(kl.mean(dim=-1), mask)
