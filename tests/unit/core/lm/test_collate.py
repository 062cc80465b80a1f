"""What a batch refuses: latents that no modality has, and spans that do not fit."""

from functools import partial

import pytest
import torch

from latentspeech.core.lm.mixed_batch import collate, pack
from latentspeech.core.lm.mixed_sequence import LatentSpan, TokenSpan


def span(modality: int, *shape: int) -> list[TokenSpan | LatentSpan]:
    return [TokenSpan(torch.tensor([1]), True), LatentSpan(modality, torch.zeros(shape), True)]


@pytest.mark.parametrize("modality", [-1, 2])
def test_a_modality_that_the_model_lacks(modality: int) -> None:
    """-1 would be the last modality's latents and, by its kind, tokens."""
    with pytest.raises(ValueError, match=f"of modality {modality}; expected 0 to 1"):
        collate([span(modality, 2, 5)], (3, 5))


def test_a_model_without_modalities() -> None:
    with pytest.raises(ValueError, match="for a model without modalities"):
        collate([span(0, 2, 5)], ())


@pytest.mark.parametrize("shape", [(2, 4), (2, 2, 5)])
def test_latents_of_another_shape(shape: tuple[int, ...]) -> None:
    """A grid of latents, too, comes as rows of one list."""
    with pytest.raises(ValueError, match=r"latents of modality 1 has shape .*; expected \(n, 5\)"):
        collate([span(1, *shape)], (3, 5))


@pytest.mark.parametrize("sequences", [[], [[]], [[TokenSpan(torch.zeros(0).long(), True)]]])
def test_nothing_makes_no_batch(sequences: list[list[TokenSpan | LatentSpan]]) -> None:
    for make in (collate, partial(pack, max_length=4)):
        with pytest.raises(ValueError, match="without an element"):
            make(sequences, (3, 5))


@pytest.mark.parametrize("shape", [(1, 2), (3, 1), (3,)])
def test_each_token_has_its_own_neighbours(shape: tuple[int, ...]) -> None:
    """One row of neighbours for three tokens would become the neighbours of all three."""
    ids, neighbours = torch.tensor([1, 2, 3]), torch.zeros(shape, dtype=torch.long)
    fitting = TokenSpan(ids, True, torch.zeros(3, 2, dtype=torch.long))
    with pytest.raises(ValueError, match="neighbours of a span of tokens has shape"):
        collate([[fitting, TokenSpan(ids, True, neighbours)]], ())
