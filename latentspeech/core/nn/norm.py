"""Modulation of RMSNorm by a condition: AdaLN-Zero (Peebles and Xie 2023, arXiv 2212.09748).

The paper's blocks are pre-RMSNorm (section 3); `torch.nn.RMSNorm` is used as it is. The diffusion
head and the modulated Transformer scale and shift its output and gate the sublayer behind it, by
functions of a condition that start at zero. So a fresh block is the identity.

N rows, d model width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """x scale + shift, all of one broadcastable shape."""
    return torch.addcmul(shift, x, scale)


class AdaLNZero(nn.Module):
    """SiLU and one zero-initialised, bias-free projection to `num_chunks` modulation vectors."""

    def __init__(self, cond_dim: int, model_dim: int, num_chunks: int) -> None:
        super().__init__()
        self.num_chunks = num_chunks
        self.projection = nn.Linear(cond_dim, num_chunks * model_dim, bias=False)
        nn.init.zeros_(self.projection.weight)

    def forward(self, condition: Tensor) -> tuple[Tensor, ...]:
        """Condition (..., cond_dim) -> `num_chunks` tensors (..., model_dim)."""
        return self.projection(functional.silu(condition)).chunk(self.num_chunks, dim=-1)
