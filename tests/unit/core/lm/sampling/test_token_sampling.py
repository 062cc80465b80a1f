"""Greedy, temperature, top-p."""

import torch

from latentspeech.core.lm.sampling.token_sampling import sample_tokens

LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def frequencies(temperature: float, top_p: float, count: int = 4000) -> list[float]:
    uniforms = torch.rand(count, generator=torch.Generator().manual_seed(0))
    drawn = sample_tokens(LOGITS.expand(count, -1), temperature, top_p, uniforms).tolist()
    return [drawn.count(token) / count for token in range(4)]


def test_temperature_zero_is_greedy() -> None:
    assert frequencies(0.0, 1.0, 20) == [1.0, 0.0, 0.0, 0.0]


def test_temperature_one_follows_the_model() -> None:
    for found, expected in zip(frequencies(1.0, 1.0), [0.5, 0.3, 0.15, 0.05], strict=True):
        assert abs(found - expected) < 0.03


def test_top_p_keeps_the_smallest_sufficient_set() -> None:
    found = frequencies(1.0, 0.75)
    assert abs(found[0] - 0.625) < 0.03
    assert found[2:] == [0.0, 0.0]
    assert frequencies(1.0, 0.01, 50) == [1.0, 0.0, 0.0, 0.0]


def test_temperature_sharpens_and_flattens() -> None:
    assert frequencies(0.5, 1.0)[0] > 0.6
    assert frequencies(5.0, 1.0)[3] > 0.12


def test_extreme_numbers_stay_among_the_tokens_kept() -> None:
    logits = torch.tensor([[0.0, 0.0, -torch.inf, 0.0]]).expand(2, -1)
    uniforms = torch.tensor([0.0, 1 - 2**-24])
    assert sample_tokens(logits, 1.0, 1.0, uniforms).tolist() == [0, 3]
    assert sample_tokens(logits, 1.0, 0.1, uniforms).tolist() == [0, 0]
