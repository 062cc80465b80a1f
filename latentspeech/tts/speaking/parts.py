"""Puts pieces of speech and the pauses between them together, with the times of their words.

n samples, T latents, D latent dimension.
"""

import math
from collections.abc import Generator, Sequence

import numpy as np
from numpy.typing import NDArray

from latentspeech.tts.retries import WrittenSentence
from latentspeech.tts.speaking.piece_speaker import Chunk
from latentspeech.tts.words.word_clock import WordTime

Samples = NDArray[np.float32]


class SpokenParts:
    """Collects the pieces of a text, and the times of its words from the start of the audio."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._parts: list[Samples] = []
        self._words: list[WordTime] = []
        self._num_samples = 0

    def add_pause(self, seconds: float) -> None:
        """Adds silence."""
        self.add(silence(seconds, self._sample_rate), [])

    def add(self, samples: Samples, words: Sequence[WordTime]) -> None:
        """Adds samples (n,), and words with times from their start."""
        self._words += [word.later(self._num_samples / self._sample_rate) for word in words]
        self._parts.append(samples)
        self._num_samples += len(samples)

    @property
    def samples(self) -> Samples:
        """Everything in one, (n,)."""
        return np.concatenate(self._parts)

    @property
    def words(self) -> tuple[WordTime, ...]:
        """The words so far."""
        return tuple(self._words)


def later_chunks(
    chunks: Generator[Chunk, None, WrittenSentence], num_samples: int, sample_rate: int
) -> Generator[Chunk, None, tuple[NDArray[np.float32], int]]:
    """Yields the chunks of a piece that begins after so many samples of the stream.

    Returns the latents (T, D) of the piece and the number of its samples.
    """
    length = 0
    while True:
        try:
            chunk = next(chunks)
        except StopIteration as end:
            return end.value.latents, length
        words = [word.later(num_samples / sample_rate) for word in chunk.words]
        length += len(chunk.samples)
        yield Chunk(chunk.samples, tuple(words))


def silence(seconds: float, sample_rate: int) -> Samples:
    """Returns a pause, (n,)."""
    return np.zeros(math.floor(seconds * sample_rate), dtype=np.float32)
