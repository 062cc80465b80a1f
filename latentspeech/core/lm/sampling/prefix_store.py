"""Prefixes of prompts, such as a voice, which the model reads once for many prompts.

d model width.
"""

import functools
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan, num_elements
from latentspeech.core.lm.runtime import Runtime, SavedRow
from latentspeech.core.lm.sampling.array_ops import AnyArray


class Prefix(NamedTuple):
    """The result of reading a sequence with the model."""

    saved: SavedRow
    hidden: AnyArray  # (d,) at its last element


def read_prefix(runtime: Runtime, sequence: MixedSequence) -> Prefix:
    """Reads a sequence with the model, to start prompts from it."""
    length = num_elements(sequence)
    cache = runtime.open(1, length)
    with runtime.ops.inference():
        hidden = cache.prefill(runtime.embed([sequence]), [length])
    return Prefix(cache.save(0), hidden[0])


@dataclass(frozen=True)
class _Sequence:
    """A sequence that equals another one with the same content."""

    content: tuple[Hashable, ...]
    spans: MixedSequence = field(compare=False)


class PrefixStore:
    """The prefixes used last, for a model whose weights do not change.

    Only a few are kept, because half a minute of speech is 0.1 GB of keys and values in a model of
    300M parameters.
    """

    def __init__(self, runtime: Runtime, capacity: int = 4) -> None:
        @functools.lru_cache(maxsize=capacity)
        def read(sequence: _Sequence) -> Prefix:
            return read_prefix(runtime, sequence.spans)

        self._read = read

    def get(self, sequence: MixedSequence) -> Prefix:
        """Returns the prefix of this sequence, which is read if it is not in the store."""
        return self._read(_Sequence(tuple(map(_content, sequence)), sequence))


def _content(span: TokenSpan | LatentSpan) -> Hashable:
    if isinstance(span, LatentSpan):
        return span.modality, np.asarray(span.latents).tobytes()
    neighbours = None if span.neighbours is None else np.asarray(span.neighbours).tobytes()
    return np.asarray(span.ids).tobytes(), neighbours
