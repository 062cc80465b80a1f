"""Greedy, temperature, top-p."""

import torch

from latentspeech.core.lm.token_sampling import sample_token

LOGITS = torch.tensor([0.5, 0.3, 0.15, 0.05]).log()


def frequencies(temperature: float, top_p: float, count: int = 4000) -> list[float]:
    generator = torch.Generator().manual_seed(0)
    drawn = [sample_token(LOGITS, temperature, top_p, generator) for _ in range(count)]
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
