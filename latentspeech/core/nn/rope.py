"""Rotary position embedding (Su et al. 2021, arXiv 2104.09864), angles in float32.

B batch, H heads, T positions, Dh head dimension.
"""

import torch
from torch import Tensor


def rotary_angles(positions: Tensor, head_dim: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines for positions (B, T) -> float32 (B, 1, T, Dh / 2) each."""
    half = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32)
    frequencies = theta ** (-half / head_dim)  # (Dh / 2,)
    angles = positions[:, None, :, None].float() * frequencies
    return angles.cos(), angles.sin()


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates the two halves of the last axis of x (B, H, T, Dh) against each other."""
    first, second = x.chunk(2, dim=-1)
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)
