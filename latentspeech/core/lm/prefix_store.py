"""What prompts begin with, such as a voice, read once for many of them.

d model width.
"""

import functools
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch
from torch import Tensor

from latentspeech.core.lm.mixed_sequence import (
    LatentSpan,
    MixedSequence,
    TokenSpan,
    collate,
    num_elements,
)
from latentspeech.core.lm.runtime import Runtime, SavedRow


class Prefix(NamedTuple):
    """A sequence that the model has read."""

    saved: SavedRow
    hidden: Tensor  # (d,) behind its last element


@torch.inference_mode()
def read_prefix(runtime: Runtime, sequence: MixedSequence) -> Prefix:
    """Has the model read what stands before prompts."""
    model = runtime.model
    length = num_elements(sequence)
    cache = runtime.open(1, length)
    batch = collate([sequence], model.config.latent_dims).to(model.device)
    hidden = cache.prefill(model.embed(batch), [length])
    return Prefix(cache.save(0), hidden[0])


@dataclass(frozen=True)
class _Sequence:
    """Equal to another that holds the same."""

    content: tuple[Hashable, ...]
    spans: MixedSequence = field(compare=False)


class PrefixStore:
    """The prefixes that were asked for last; for a model whose weights stay as they are.

    Few are kept: half a minute of speech is 0.1 GB of keys and values in a model of 300M
    parameters.
    """

    def __init__(self, runtime: Runtime, capacity: int = 4) -> None:
        @functools.lru_cache(maxsize=capacity)
        def read(sequence: _Sequence) -> Prefix:
            return read_prefix(runtime, sequence.spans)

        self._read = read

    def get(self, sequence: MixedSequence) -> Prefix:
        """The sequence as read by the runtime: now, or when it was asked for before."""
        return self._read(_Sequence(tuple(map(_content, sequence)), sequence))


def _content(span: TokenSpan | LatentSpan) -> Hashable:
    if isinstance(span, LatentSpan):
        return span.modality, span.latents.cpu().numpy().tobytes()
    neighbours = None if span.neighbours is None else span.neighbours.numpy().tobytes()
    return span.ids.numpy().tobytes(), neighbours
