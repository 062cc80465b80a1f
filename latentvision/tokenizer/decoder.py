"""Latents to images: one matrix, a ViT from random weights, and a head of pixels (paper H.2).

The head is linear, tanh, linear, as in the public code of the paper's group.

B images, N patches, P patch size, D latent dimension, W model width.
"""

import torch
from torch import Tensor, nn

from latentvision.tokenizer.vit import ViT, ViTConfig, position_table


class ImageDecoder(nn.Module):
    """Latents (B, N, D) -> patches (B, N, 3 P P)."""

    def __init__(
        self, config: ViTConfig, patch_size: int, num_patches: int, latent_dim: int
    ) -> None:
        super().__init__()
        width = config.model_dim
        self.embedding = nn.Linear(latent_dim, width)
        self.positions = position_table(num_patches, width)
        self.vit = ViT(config)
        self.hidden = nn.Linear(width, width)
        self.pixels = nn.Linear(width, 3 * patch_size**2)

    def last_hidden(self, latents: Tensor) -> Tensor:
        """The input (B, N, W) of the last matrix."""
        return torch.tanh(self.hidden(self.vit(self.embedding(latents) + self.positions)))

    def forward(self, latents: Tensor) -> Tensor:
        """The pixels of each patch."""
        return self.pixels(self.last_hidden(latents))
