"""Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598)."""

import torch
from torch import Tensor


def guide(conditional: Tensor, unconditional: Tensor, cfg_scale: float) -> Tensor:
    """uncond + cfg_scale (cond - uncond); 1 is off."""
    return torch.lerp(unconditional, conditional, cfg_scale)
