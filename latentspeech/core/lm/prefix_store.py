"""What prompts begin with, such as a voice, read once for many of them."""

import functools
from collections.abc import Hashable
from dataclasses import dataclass, field

from latentspeech.core.lm.generate import read_prefix
from latentspeech.core.lm.mixed_sequence import LatentSpan, MixedSequence, TokenSpan
from latentspeech.core.lm.runtime import Runtime, SavedRow


@dataclass(frozen=True)
class _Prefix:
    """Equal to another that holds the same."""

    content: tuple[Hashable, ...]
    sequence: MixedSequence = field(compare=False)


class PrefixStore:
    """The prefixes that were asked for last; for a model whose weights stay as they are."""

    def __init__(self, runtime: Runtime, capacity: int = 8) -> None:
        @functools.lru_cache(maxsize=capacity)
        def read(prefix: _Prefix) -> SavedRow:
            return read_prefix(runtime, prefix.sequence)

        self._read = read

    def get(self, sequence: MixedSequence) -> SavedRow:
        """The sequence as read by the runtime: now, or when it was asked for before."""
        return self._read(_Prefix(tuple(map(_content, sequence)), sequence))


def _content(span: TokenSpan | LatentSpan) -> Hashable:
    if isinstance(span, LatentSpan):
        return span.modality, span.latents.cpu().numpy().tobytes()
    neighbours = None if span.neighbours is None else span.neighbours.numpy().tobytes()
    return span.ids.numpy().tobytes(), neighbours
