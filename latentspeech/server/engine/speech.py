"""A speech that a client waits for: its sentences, who hears of its audio, and how far it is.

n samples.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentspeech.tts.prompt import Prompt
from latentspeech.tts.words.symbol_words import PieceSymbols
from latentspeech.tts.words.word_clock import WordTime

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class ReadSentence:
    """A sentence of normalised text, the ids of its tokens, and the silence around it."""

    symbols: PieceSymbols
    token_ids: Sequence[int]
    pause_s: float  # before it
    pause_after_s: float = 0.0


@dataclass(frozen=True)
class Samples:
    """The next samples (n,) in [-1, 1] of a sentence, and the words whose times are known now.

    Times are from the start of the speech. There may be words and no samples.
    """

    values: Floats
    sentence: int
    words: tuple[WordTime, ...] = ()


@dataclass(frozen=True)
class SentenceEnded:
    """All samples of a sentence have come."""

    sentence: int


@dataclass(frozen=True)
class Finished:
    """All sentences have been spoken."""


@dataclass(frozen=True)
class Failed:
    """The speech ends early, and why."""

    message: str


Event = Samples | SentenceEnded | Finished | Failed


class Speech:
    """One speech. The engine and its decoder write to it, anybody may read.

    Args:
        voice: the voice of all sentences.
        seed: the seed of all noise.
        client: who asked for it; rows are shared out evenly among clients.
        listener: is called with each event, in order, from a thread of the engine; it must return
            at once and not raise.
    """

    def __init__(
        self, voice: Prompt, seed: int, client: str, listener: Callable[[Event], None]
    ) -> None:
        self.voice, self.seed, self.client = voice, seed, client
        self.arrived_s = time.monotonic()
        self.first_audio_s: float | None = None  # when the first samples came
        self.audio_s = 0.0  # length of all samples so far
        self.quality = ""  # name of the sampling (quality.py), set when its first row starts
        self.cancelled = threading.Event()
        # What follows belongs to the engine.
        self.sentences: deque[ReadSentence] = deque()  # not yet written
        self.num_started = 0  # sentences
        self.is_complete = False  # whether no sentence is added any more
        self.before: Floats | None = None  # (T, D) latents of the sentence before
        self._listener = listener

    @property
    def deadline_s(self) -> float:
        """When its listener has nothing more to hear; before the first audio, when it arrived."""
        if self.first_audio_s is None:
            return self.arrived_s
        return self.first_audio_s + self.audio_s

    def hear(self, samples: Samples, sample_rate: int) -> None:
        """Hands over the next samples."""
        if self.first_audio_s is None and len(samples.values):
            self.first_audio_s = time.monotonic()
        self.audio_s += len(samples.values) / sample_rate
        self.tell(samples)

    def tell(self, event: Event) -> None:
        """Hands over an event, unless nobody listens any more."""
        if not self.cancelled.is_set():
            self._listener(event)
