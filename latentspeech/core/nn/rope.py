"""Rotary position embedding (Su et al. 2021, arXiv 2104.09864), with angles in float32.

The two halves of the last axis are the coordinates of Dh / 2 planes. swapped(x) exchanges the two
halves, and the sine is negated for the first one; a rotation then is x cos + swapped(x) sin.

B batch, H heads, T positions, Dh head dimension.
"""

import torch
from torch import Tensor


def rotary_angles(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and signed sines for positions (B, T) -> float32 (B, 1, T, Dh) each."""
    half = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32)
    frequencies = theta ** (-half / head_dim)  # (Dh / 2,)
    angles = positions[:, None, :, None].float() * torch.cat((-frequencies, frequencies))
    return angles.cos(), angles.sin()


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates the two halves of the last axis of x (B, H, T, Dh) against each other."""
    swapped = x.roll(x.shape[-1] // 2, dims=-1)
    return torch.addcmul(x * cos.to(x.dtype), swapped, sin.to(x.dtype))
