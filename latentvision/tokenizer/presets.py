"""Tokenizer sizes: the paper's (H.2), and smaller ones for small pictures and small machines.

The paper's is two ViT-B, 172M parameters, with patches of 16 pixels at 256 and 384 px.
"""

from typing import Literal

from latentspeech.core.latents.config import SigmaVAEConfig
from latentvision.tokenizer.model import SIGMA_STD, TokenizerConfig
from latentvision.tokenizer.posterior import PosteriorConfig
from latentvision.tokenizer.vit import ViTConfig

TokenizerSize = Literal["base", "small", "tiny"]

_SIZES: dict[TokenizerSize, ViTConfig] = {
    "base": ViTConfig(),
    "small": ViTConfig(model_dim=256, num_layers=4, num_heads=4, ffn_dim=1024),  # 6.4M in all
    "tiny": ViTConfig(model_dim=128, num_layers=3, num_heads=4, ffn_dim=512),  # 1.2M in all
}


def tokenizer_preset(
    size: TokenizerSize,
    image_size: int = 256,
    patch_size: int = 16,
    latent_dim: int = 16,
    posterior: PosteriorConfig | None = None,
) -> TokenizerConfig:
    """Encoder and decoder of one size; the posterior is the paper's sigma-VAE unless given."""
    side = _SIZES[size]
    return TokenizerConfig(
        image_size=image_size,
        patch_size=patch_size,
        latent_dim=latent_dim,
        encoder=side,
        decoder=side,
        posterior=posterior or SigmaVAEConfig(sigma_std=SIGMA_STD),
    )
