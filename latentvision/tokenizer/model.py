"""The image tokenizer: ViT encoder, a posterior, ViT decoder (paper 4.1, 5.1, H.2).

    mu = Encoder(x);  z = mu + |sigma| eps;  x^ = Decoder(z)

An image of S x S pixels becomes N = (S / P)^2 latents in raster order. `encode` gives the means, so
its results repeat; training draws z. The twins of the study differ in the posterior alone.

B images, S image size, P patch size, N latents, D latent dimension.
"""

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from latentspeech.core.config import Config
from latentspeech.core.errors import ConfigError
from latentspeech.core.latents.config import SigmaVAEConfig
from latentspeech.core.tensors import check_shape
from latentvision.tokenizer.decoder import ImageDecoder
from latentvision.tokenizer.encoder import ImageEncoder
from latentvision.tokenizer.patches import from_patches
from latentvision.tokenizer.posterior import (
    LearnedPosteriorConfig,
    LearnedVariance,
    Posterior,
    PosteriorConfig,
    SigmaPosterior,
    VQConfig,
)
from latentvision.tokenizer.vector_quantizer import VectorQuantizer
from latentvision.tokenizer.vit import ViTConfig

SIGMA_STD = 0.9375  # the posterior's for images; E|sigma| is 0.75


class TokenizerConfig(Config):
    """Sizes of the tokenizer and its posterior; the defaults are the paper's at 256 px."""

    image_size: int = Field(256, ge=1, description="pixels a side")
    patch_size: int = Field(16, ge=1, description="pixels a side of what becomes one latent")
    latent_dim: int = Field(16, ge=1, description="channels of a latent; not printed in the paper")
    encoder: ViTConfig = Field(ViTConfig(), description="pixels to latents")
    decoder: ViTConfig = Field(ViTConfig(), description="latents to pixels")
    posterior: PosteriorConfig = Field(
        SigmaVAEConfig(sigma_std=SIGMA_STD), description="sigma-VAE, or one of its twins"
    )

    @model_validator(mode="after")
    def _check(self) -> "TokenizerConfig":
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size {self.image_size} is not a multiple of patch_size {self.patch_size}; "
                "change one of them"
            )
        return self

    @property
    def grid_size(self) -> int:
        """Latents a side."""
        return self.image_size // self.patch_size

    @property
    def num_latents(self) -> int:
        """N, latents of an image."""
        return self.grid_size**2


def make_posterior(config: PosteriorConfig, latent_dim: int) -> Posterior:
    """The posterior of its configuration."""
    match config:
        case SigmaVAEConfig():
            return SigmaPosterior(config, latent_dim)
        case LearnedPosteriorConfig():
            return LearnedVariance(config, latent_dim)
        case VQConfig():
            return VectorQuantizer(config, latent_dim)


class Tokenizer(nn.Module):
    """Images to latents and back."""

    def __init__(self, config: TokenizerConfig) -> None:
        super().__init__()
        self.config = config
        self.posterior = make_posterior(config.posterior, config.latent_dim)
        count, patch = config.num_latents, config.patch_size
        self.encoder = ImageEncoder(config.encoder, patch, count, self.posterior.encoder_dim)
        self.decoder = ImageDecoder(config.decoder, patch, count, config.latent_dim)
        self.posterior.init_head(self.encoder.head)

    @property
    def device(self) -> torch.device:
        """The device of the parameters."""
        return self.decoder.positions.device

    def encode(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) in [-1, 1] -> means (B, N, D), float32, in raster order."""
        return self.posterior.means(self._encoded(images))

    def decode(self, latents: Tensor) -> Tensor:
        """Latents (B, N, D) -> images (B, 3, S, S); they may lie a little outside [-1, 1]."""
        check_shape("latents", latents, "B", self.config.num_latents, self.config.latent_dim)
        return self.assemble(self.decoder(latents))

    def encode_codes(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S) -> codes (B, N), for a VQ tokenizer; ConfigError for another."""
        return self._quantizer().codes(self._encoded(images))

    def decode_codes(self, codes: Tensor) -> Tensor:
        """Codes (B, N) -> images (B, 3, S, S), for a VQ tokenizer; ConfigError for another."""
        return self.decode(self._quantizer().vectors(codes))

    def assemble(self, patches: Tensor) -> Tensor:
        """The decoder's patches (B, N, 3 P P) -> images (B, 3, S, S)."""
        return from_patches(patches, self.config.grid_size, self.config.patch_size)

    def _encoded(self, images: Tensor) -> Tensor:
        size = self.config.image_size
        check_shape("images", images, "B", 3, size, size)
        return self.encoder(images)

    def _quantizer(self) -> VectorQuantizer:
        if not isinstance(self.posterior, VectorQuantizer):
            raise ConfigError(
                f"this tokenizer has a posterior of kind {self.config.posterior.kind!r} and no "
                "codes; give one of kind 'vq', or use encode and decode"
            )
        return self.posterior
