"""Sequence masks computed pair by pair, and attention query by query: slow and obvious.

B rows, T queries, S keys, H query heads, G key/value heads, Dh head dimension.
"""

import torch
from torch import Tensor

Ids = list[int] | None


def same_run(ids: list[int], one: int, other: int) -> bool:
    """Whether all elements from one to the other have the same id."""
    low, high = min(one, other), max(one, other)
    return all(ids[i] == ids[one] for i in range(low, high + 1))


def may_see(query: int, key: int, causal: bool, segment_ids: Ids, block_ids: Ids) -> bool:
    """Whether element `query` of a row sees element `key`."""
    if segment_ids is not None and not same_run(segment_ids, query, key):
        return False
    if not causal or key <= query:
        return True
    return block_ids is not None and block_ids[query] >= 0 and same_run(block_ids, query, key)


def visible_pairs(length: int, causal: bool, segment_ids: Ids, block_ids: Ids) -> Tensor:
    """(T, T) for one row, True where a query sees a key."""
    seen = torch.zeros(length, length, dtype=torch.bool)
    for query in range(length):
        for key in range(length):
            seen[query, key] = may_see(query, key, causal, segment_ids, block_ids)
    return seen


def slow_attention(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    """q (B, H, T, Dh), k and v (B, G, S, Dh), seen (B, T, S) -> (B, H, T, Dh)."""
    batch, heads, length, size = q.shape
    group = heads // k.shape[1]
    y = torch.empty_like(q)
    for row in range(batch):
        for head in range(heads):
            for query in range(length):
                keys = k[row, head // group, seen[row, query]]
                weights = torch.softmax(keys @ q[row, head, query] * size**-0.5, dim=0)
                y[row, head, query] = weights @ v[row, head // group, seen[row, query]]
    return y
