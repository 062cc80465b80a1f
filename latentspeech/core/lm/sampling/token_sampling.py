"""Choosing tokens from logits: greedy, or by temperature and top-p (Holtzman et al. 2020).

n rows, V vocabulary.
"""

import torch
from torch import Tensor


def sample_tokens(
    logits: Tensor, temperature: float, top_p: float, uniforms: Tensor | None
) -> Tensor:
    """One token id for every row of logits (n, V) -> (n,).

    Args:
        logits: (n, V); -inf for tokens that must not be drawn.
        temperature: divides the logits; 0 is greedy.
        top_p: only the smallest set of tokens whose probabilities sum to at least top_p is kept.
        uniforms: (n,) in [0, 1), one a row; not needed if temperature is 0.
    """
    if temperature == 0:
        return logits.argmax(dim=1)
    assert uniforms is not None, "tokens that are not greedy need uniform numbers"
    probabilities = torch.softmax(logits.float() / temperature, dim=1)
    ordered, ids = probabilities.sort(dim=1, descending=True, stable=True)
    before = ordered.cumsum(1) - ordered
    kept = ordered * (before < top_p)  # (n, V)
    sums = kept.cumsum(1)
    place = (sums <= uniforms[:, None] * sums[:, -1:]).sum(1)
    place = torch.minimum(place, (kept > 0).sum(1) - 1)  # rounding may give one too many
    return ids.gather(1, place[:, None])[:, 0]
