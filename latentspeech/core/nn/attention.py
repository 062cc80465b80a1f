"""Grouped-query attention: training, prefill and step are one code path.

Grouped queries are from Ainslie et al. 2023, arXiv 2305.13245. There are no biases; positions are
rotary if the model uses them. `SequenceMask` says which keys a query sees. The computation is
torch's scaled_dot_product_attention, or FlexAttention if the mask is a BlockMask.

B batch, T new positions, S all positions, H query heads, G key/value heads, Dh head dimension.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.attention.flex_attention import BlockMask, flex_attention

from latentspeech.core.nn.kv_cache import KVCache
from latentspeech.core.nn.rope import apply_rotary
from latentspeech.core.nn.sequence_mask import AttentionMask


@dataclass
class AttentionContext:
    """The inputs that all layers of one call share."""

    positions: Tensor  # (B, T)
    rotary: tuple[Tensor, Tensor] | None  # cosines and signed sines, (B, 1, T, Dh) each
    mask: AttentionMask
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
        if context.rotary is not None:
            q_k = apply_rotary(q_k, *context.rotary)
        q, k = torch.split(q_k, [self.num_heads, self.num_kv_heads], dim=1)  # (B, H or G, T, Dh)
        if context.cache is not None:
            k, v = context.cache.write(self.layer, k, v, context.positions)  # (B, G, S, Dh)
        y = attend(q, k.to(q.dtype), v.to(q.dtype), context.mask)  # (B, H, T, Dh)
        return self.out(y.transpose(1, 2).reshape(batch, length, -1))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: AttentionMask) -> Tensor:
    """q (B, H, T, Dh), k and v (B, G, S, Dh) -> (B, H, T, Dh); G divides H."""
    grouped = q.shape[1] != k.shape[1]
    if isinstance(mask, BlockMask):
        # A compiled block compiles it too. On a CPU, only tests come here, so it runs uncompiled.
        plain = torch.compiler.is_compiling() or q.device.type == "cpu"
        attention = flex_attention if plain else _compiled()
        y = attention(q, k, v, block_mask=mask, enable_gqa=grouped)
        assert isinstance(y, Tensor)  # we do not ask for the log-sum-exp
        return y
    dense = mask if isinstance(mask, Tensor) else None
    return functional.scaled_dot_product_attention(
        q,
        k,
        v,
        attn_mask=dense,
        is_causal=dense is None and mask == "causal",
        enable_gqa=grouped,
    )


@functools.cache
def _compiled() -> Callable[..., object]:
    # Not at import, because this loads the compiler, which most runs do not need.
    return torch.compile(flex_attention)
