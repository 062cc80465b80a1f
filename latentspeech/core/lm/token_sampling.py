"""Choosing a token from logits: greedy, or by temperature and top-p (Holtzman et al. 2020).

V vocabulary.
"""

import torch
from torch import Tensor


def sample_token(
    logits: Tensor, temperature: float, top_p: float, generator: torch.Generator
) -> int:
    """One token id from logits (V,); temperature 0 is greedy.

    top_p keeps the smallest set of tokens whose probabilities sum to at least top_p.
    """
    if temperature == 0:
        return int(logits.argmax())
    probabilities = torch.softmax(logits.float().cpu() / temperature, dim=-1)
    ordered, ids = probabilities.sort(descending=True)
    before = ordered.cumsum(0) - ordered
    kept = ordered * (before < top_p)
    choice = torch.multinomial(kept / kept.sum(), 1, generator=generator)
    return int(ids[choice])
