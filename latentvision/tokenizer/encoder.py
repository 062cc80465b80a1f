"""Images to the numbers that a posterior is made of: patches, a ViT, one matrix (paper H.2).

Like BEiT-3, the ViT sees a learned class token before the patches; its output is dropped.

B images, N patches, P patch size, D model width.
"""

import torch
from torch import Tensor, nn

from latentvision.tokenizer.patches import to_patches
from latentvision.tokenizer.vit import ViT, ViTConfig, position_table


class PatchEmbedding(nn.Module):
    """Images (B, 3, H, W) -> class token and patches with positions (B, 1 + N, D)."""

    def __init__(self, patch_size: int, num_patches: int, model_dim: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.projection = nn.Linear(3 * patch_size**2, model_dim)
        self.class_token = nn.Parameter(torch.zeros(model_dim))
        self.positions = position_table(1 + num_patches, model_dim)

    def forward(self, images: Tensor) -> Tensor:
        """Embeds the patches in raster order."""
        patches = self.projection(to_patches(images, self.patch_size))  # (B, N, D)
        first = self.class_token.expand(len(patches), 1, -1).to(patches.dtype)
        return torch.cat((first, patches), dim=1) + self.positions


class ImageEncoder(nn.Module):
    """Images (B, 3, H, W) -> (B, N, out_dim)."""

    def __init__(self, config: ViTConfig, patch_size: int, num_patches: int, out_dim: int) -> None:
        super().__init__()
        self.embedding = PatchEmbedding(patch_size, num_patches, config.model_dim)
        self.vit = ViT(config)
        self.head = nn.Linear(config.model_dim, out_dim)

    def features(self, images: Tensor) -> Tensor:
        """The ViT's states of the patches (B, N, D)."""
        return self.vit(self.embedding(images))[:, 1:]

    def forward(self, images: Tensor) -> Tensor:
        """The numbers of each patch's posterior."""
        return self.head(self.features(images))
