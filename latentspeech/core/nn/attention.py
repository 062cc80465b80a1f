"""Causal grouped-query attention: training, prefill and step are one code path.

Grouped queries (Ainslie et al. 2023, arXiv 2305.13245); no biases; rotary positions; the arithmetic
is torch's scaled_dot_product_attention, for packed rows on a GPU FlexAttention.

B batch, T new positions, S all positions, H query heads, G key/value heads, Dh head dimension.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask

from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.nn.packed_attention import PackedMask, attend
from latentspeech.core.nn.rope import apply_rotary


@dataclass
class AttentionContext:
    """What all layers of one call share."""

    positions: Tensor  # (B, T)
    cos: Tensor  # (B, 1, T, Dh)
    sin: Tensor  # (B, 1, T, Dh)
    mask: PackedMask | None  # (B, 1, T, S), True where a query may look; None: causal order alone
    cache: KVCache | None


class Attention(nn.Module):
    """One layer's attention; `layer` is its place in the cache."""

    def __init__(
        self, layer: int, model_dim: int, num_heads: int, num_kv_heads: int, head_dim: int
    ) -> None:
        super().__init__()
        self.layer = layer
        self.num_heads = num_heads
        self.num_kv_heads = num_kv_heads
        self.head_dim = head_dim
        self.qkv = nn.Linear(model_dim, (num_heads + 2 * num_kv_heads) * head_dim, bias=False)
        self.out = nn.Linear(num_heads * head_dim, model_dim, bias=False)

    def forward(self, x: Tensor, context: AttentionContext) -> Tensor:
        """x (B, T, model_dim) -> (B, T, model_dim)."""
        batch, length, _ = x.shape
        heads = self.qkv(x).view(batch, length, -1, self.head_dim).transpose(1, 2)
        q_k, v = heads.split((self.num_heads + self.num_kv_heads, self.num_kv_heads), dim=1)
        q_k = apply_rotary(q_k, context.cos, context.sin)
        q, k = torch.split(q_k, [self.num_heads, self.num_kv_heads], dim=1)  # (B, H or G, T, Dh)
        if context.cache is not None:
            k, v = context.cache.write(self.layer, k, v, context.positions)  # (B, G, S, Dh)
        k, v = k.to(q.dtype), v.to(q.dtype)
        if isinstance(context.mask, BlockMask):
            y = attend(q, k, v, context.mask)  # (B, H, T, Dh)
        else:
            y = functional.scaled_dot_product_attention(
                q,
                k,
                v,
                attn_mask=context.mask,
                is_causal=context.mask is None and length > 1,
                enable_gqa=self.num_heads != self.num_kv_heads,
            )  # (B, H, T, Dh)
        return self.out(y.transpose(1, 2).reshape(batch, length, -1))
