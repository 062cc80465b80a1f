"""Image tokenizers of every kind with random weights, made in milliseconds, for tests."""

from pathlib import Path

import torch
from torch import Tensor

from latentspeech.core.latents.config import SigmaVAEConfig
from latentvision.tokenizer.model import Tokenizer, TokenizerConfig
from latentvision.tokenizer.model_directory import save_tokenizer
from latentvision.tokenizer.posterior import LearnedPosteriorConfig, PosteriorConfig, VQConfig
from latentvision.tokenizer.vit import ViTConfig

SIDE = ViTConfig(model_dim=32, num_layers=2, num_heads=2, ffn_dim=48)
POSTERIORS: dict[str, PosteriorConfig] = {
    "per_example": SigmaVAEConfig(sigma_std=0.9375),
    "fixed": SigmaVAEConfig(kind="fixed", sigma_std=0.5),
    "learned": LearnedPosteriorConfig(),
    "vq": VQConfig(num_codes=64),
}


def tiny_config(kind: str = "per_example", image_size: int = 16) -> TokenizerConfig:
    return TokenizerConfig(
        image_size=image_size,
        patch_size=4,
        latent_dim=5,
        encoder=SIDE,
        decoder=SIDE,
        posterior=POSTERIORS[kind],
    )


def make_tokenizer(kind: str = "per_example", seed: int = 0, image_size: int = 16) -> Tokenizer:
    torch.manual_seed(seed)
    return Tokenizer(tiny_config(kind, image_size)).eval()


def make_tokenizer_directory(directory: Path, kind: str = "per_example", seed: int = 0) -> Path:
    path = directory / f"tokenizer-{kind}-{seed}"
    path.mkdir()
    save_tokenizer(make_tokenizer(kind, seed), path, "# tiny\n")
    return path


def random_images(count: int, size: int = 16, seed: int = 0) -> Tensor:
    """Smooth images (B, 3, S, S) in [-1, 1]."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(count, 3, 4, 4, generator=generator) * 2 - 1
    return torch.nn.functional.interpolate(coarse, size=size, mode="bilinear")
