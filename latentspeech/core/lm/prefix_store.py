"""What prompts begin with, such as a voice, read once for many of them."""

import functools
from collections.abc import Hashable
from dataclasses import dataclass, field

from latentspeech.core.lm.generate import Prefix, read_prefix
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan
from latentspeech.core.lm.runtime import Runtime


@dataclass(frozen=True)
class _Sequence:
    """Equal to another that holds the same."""

    content: tuple[Hashable, ...]
    spans: MixedSequence = field(compare=False)


class PrefixStore:
    """The prefixes that were asked for last; for a model whose weights stay as they are.

    Few, for half a minute of speech is 0.1 GB of keys and values in a model of 300M parameters.
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
