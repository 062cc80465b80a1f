"""Latents of fixed norm, the rival of the sigma-VAE in the study (SphereAR, arXiv 2509.24335).

Its thesis is that errors, above all those of guidance, change the scale of latents step by step,
and that latents on a sphere cannot drift. So a latent is put onto the sphere of radius sqrt(D)
wherever it enters the model, and a latent drawn is put back onto it, with guidance and all, before
the model reads it or the tokenizer decodes it.

D latent size.
"""

import math

from torch import Tensor
from torch.nn import functional

from latentspeech.core.latents.normalizer import LatentNormalizer


class FixedNormNormalizer(LatentNormalizer):
    """Scales latents like `LatentNormalizer`; all normalised latents have norm sqrt(D)."""

    def normalize(self, latents: Tensor) -> Tensor:
        """Latents (..., D) -> (..., D) of norm sqrt(D)."""
        return to_sphere(super().normalize(latents))

    def denormalize(self, latents: Tensor) -> Tensor:
        """Latents (..., D) of any norm -> the raw latents (..., D) of the same direction."""
        return super().denormalize(to_sphere(latents))


def to_sphere(latents: Tensor) -> Tensor:
    """Latents (..., D) -> (..., D) of the same direction and norm sqrt(D), float32 or wider."""
    wide = latents if latents.itemsize > 4 else latents.float()
    return functional.normalize(wide, dim=-1) * math.sqrt(latents.shape[-1])


def build_normalizer(latent_dim: int, fixed_norm: bool) -> LatentNormalizer:
    """The normaliser of a generator."""
    return FixedNormNormalizer(latent_dim) if fixed_norm else LatentNormalizer(latent_dim)
