"""What a batch refuses: latents that no modality of the model has."""

import pytest
import torch

from latentspeech.core.lm.mixed_sequence import LatentSpan, TokenSpan, collate


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
