"""numpy and torch draw the same tokens."""

import numpy as np
import pytest
import torch

from latentspeech.core.lm.sampling.array_ops import NumpyOps, TokenChoice
from latentspeech.core.lm.torch_runtime import TorchOps


@pytest.mark.parametrize(("temperature", "top_p"), [(0.0, 1.0), (0.7, 1.0), (1.3, 0.6)])
@pytest.mark.parametrize("restricted", [False, True])
def test_both_choose_alike(temperature: float, top_p: float, restricted: bool) -> None:
    random = np.random.default_rng(0)
    logits = random.standard_normal((500, 12)).astype(np.float32)
    uniforms = random.random(500, dtype=np.float32)
    allowed = random.random((500, 12)) < 0.5
    allowed[:, 3] = True
    results = []
    for ops in (NumpyOps(), TorchOps(torch.zeros(1))):
        choice = TokenChoice(
            ops.from_host(np.array([1, 2])),
            ops.from_host(np.array([2])),
            ops.from_host(allowed) if restricted else None,
            temperature,
            top_p,
        )
        drawn = ops.choose(ops.from_host(logits), choice, ops.from_host(uniforms))
        results.append((*drawn, ops.probability(ops.from_host(logits), 4)))
    (read, tokens, chance), (torch_read, torch_tokens, torch_chance) = results
    np.testing.assert_array_equal(read, torch_read)
    np.testing.assert_array_equal(read, logits[:, [1, 2]].astype(np.float64))
    assert (tokens == torch_tokens).mean() > 0.99  # rounding decides where a number is at an edge
    assert not (tokens == 2).any()
    assert not restricted or allowed[np.arange(500), tokens].all()
    np.testing.assert_allclose(chance, torch_chance, rtol=1e-6)
