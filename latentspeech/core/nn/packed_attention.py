"""Causal attention over rows that hold several sequences, none of which sees another.

A GPU never holds a T x T mask: FlexAttention (Dong et al. 2024, arXiv 2412.05496) visits only the
blocks of 128 x 128 that some query may see, which are known from where sequences begin. A CPU, for
which it has no backward pass, takes the dense mask; that is the reference too.

B rows, T positions, N = T / 128 blocks, H query heads, G key/value heads, Dh head dimension.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, flex_attention

BLOCK = 128

PackedMask = Tensor | BlockMask


def segment_positions(segment_ids: Tensor) -> Tensor:
    """Each element's index within its contiguous segment. segment_ids (B, T) -> (B, T)."""
    index = torch.arange(segment_ids.shape[1], device=segment_ids.device).expand_as(segment_ids)
    starts = torch.ones_like(segment_ids, dtype=torch.bool)
    starts[:, 1:] = segment_ids[:, 1:] != segment_ids[:, :-1]
    return index - (index * starts).cummax(dim=1).values


def packed_mask(positions: Tensor) -> PackedMask:
    """What `attend` needs to keep segments apart, from positions (B, T) within them."""
    return block_mask(positions) if positions.device.type == "cuda" else dense_mask(positions)


def dense_mask(positions: Tensor) -> Tensor:
    """(B, 1, T, T), True where a query may look."""
    index = torch.arange(positions.shape[1], device=positions.device)
    starts = (index - positions)[:, None, :, None]  # (B, 1, T, 1)
    return (index >= starts) & (index <= index[:, None])


def block_mask(positions: Tensor) -> BlockMask:
    """The same for FlexAttention, made without looking at single elements."""
    length = positions.shape[1]
    index = torch.arange(length, device=positions.device)
    starts = index - positions  # (B, T), where a query's segment begins; never falls
    block = torch.arange(-(-length // BLOCK), device=positions.device)  # (N,)
    first = starts[:, block * BLOCK, None]  # (B, N, 1), of a block's first query
    last = starts[:, (block * BLOCK + BLOCK - 1).clamp(max=length - 1), None]  # of its last
    seen = (block >= first // BLOCK) & (block <= block[:, None])  # (B, N, N) by some query
    full = (block * BLOCK >= last) & (block < block[:, None])  # by all queries, all of it
    partial_count, partial_order = _listed(seen & ~full)
    full_count, full_order = _listed(full)

    def visible(b: Tensor, h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        return (key <= query) & (key >= starts[b, query])

    return BlockMask.from_kv_blocks(
        partial_count,
        partial_order,
        full_count,
        full_order,
        BLOCK_SIZE=BLOCK,
        mask_mod=visible,
        seq_lengths=(length, length),
    )


def attend(q: Tensor, k: Tensor, v: Tensor, mask: BlockMask) -> Tensor:
    """q (B, H, T, Dh), k and v (B, G, T, Dh) -> (B, H, T, Dh)."""
    # Within a compiled block it is compiled already; eager on a CPU it is for tests.
    plain = torch.compiler.is_compiling() or q.device.type == "cpu"
    attention = flex_attention if plain else _compiled()
    y = attention(q, k, v, block_mask=mask, enable_gqa=q.shape[1] != k.shape[1])
    assert isinstance(y, Tensor)  # not asked for the log-sum-exp
    return y


@functools.cache
def _compiled() -> Callable[..., object]:
    # Not at import: it loads the compiler, and most runs have no use for it.
    return torch.compile(flex_attention)


def _listed(wanted: Tensor) -> tuple[Tensor, Tensor]:
    """(B, N, N) booleans to counts (B, 1, N) and indices (B, 1, N, N), the wanted ones first."""
    order = wanted.to(torch.int32).argsort(dim=-1, descending=True, stable=True)
    return wanted.sum(dim=-1, dtype=torch.int32)[:, None], order.to(torch.int32)[:, None]
