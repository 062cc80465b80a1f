"""Sequences that mix discrete tokens and continuous latents in any order: lists of spans.

Spans hold numpy arrays or torch tensors; what reads them takes either. mixed_batch.py makes batches
of tensors for training.

D latent size, C further ids of a token.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from latentspeech.core.lm.sampling.array_ops import AnyArray

NO_NEIGHBOUR = -1
TOKEN = 0  # a larger kind is a modality: 1 + its index


@dataclass(frozen=True)
class TokenSpan:
    """Token ids (n,); `target` says whether the model learns to predict them.

    A token may have further ids, `neighbours` (n, C), whose embeddings are added to its own;
    NO_NEIGHBOUR adds nothing. The code that makes the sequence decides what the C places mean.

    `whole` says that `cut` must not divide them, for instance because they are one image's codes.
    """

    ids: AnyArray
    target: bool
    neighbours: AnyArray | None = None
    whole: bool = False


@dataclass(frozen=True)
class LatentSpan:
    """Raw (not normalised) latents (n, D) of the modality with index `modality`.

    `whole` says that `cut` must not divide them, for instance because they are one image.
    """

    modality: int
    latents: AnyArray
    target: bool
    whole: bool = False


MixedSequence = Sequence[TokenSpan | LatentSpan]


def num_elements(sequence: MixedSequence) -> int:
    """The length of a sequence."""
    return sum(
        (span.ids if isinstance(span, TokenSpan) else span.latents).shape[0] for span in sequence
    )
