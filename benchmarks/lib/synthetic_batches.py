"""Batches of the right shape with random content, on which the time of a step does not depend."""

from collections.abc import Sequence

import torch
from torch import Tensor

from latentspeech.core.lm.config import ModalityConfig
from latentspeech.core.lm.mixed_batch import MixedBatch, collate, pack
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan


def speech_batch(
    speech: ModalityConfig,
    vocab_size: int,
    sizes: Sequence[tuple[int, int]],
    max_length: int | None,
    seed: int = 0,
) -> MixedBatch:
    """Makes text, BOD, latents, EOD for each of `sizes` (text tokens, latents).

    Args:
        max_length: elements of a packed row; None puts one sequence in each row and pads.
    """
    generator = torch.Generator().manual_seed(seed)
    sequences = [_sequence(speech, vocab_size, *size, generator) for size in sizes]
    dims = (speech.latent_dim,)
    return collate(sequences, dims) if max_length is None else pack(sequences, dims, max_length)


def _sequence(
    speech: ModalityConfig,
    vocab_size: int,
    num_tokens: int,
    num_latents: int,
    generator: torch.Generator,
) -> MixedSequence:
    text = torch.randint(vocab_size, (num_tokens,), generator=generator)
    latents = torch.randn(num_latents, speech.latent_dim, generator=generator)
    return [
        TokenSpan(torch.cat((text, torch.tensor([speech.bod_id]))), target=False),
        LatentSpan(0, latents, target=True),
        TokenSpan(torch.tensor([speech.eod_id]), target=True),
    ]


def audio_batch(batch_size: int, num_samples: int, seed: int = 0) -> Tensor:
    """Makes noise (B, T) at the level of speech."""
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(batch_size, num_samples, generator=generator)
