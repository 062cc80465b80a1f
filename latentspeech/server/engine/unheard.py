"""A sentence between the thread that writes it and the thread that decodes it.

D latent dimension, T latents, n samples.
"""

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentspeech.audio.stretching import Stretcher
from latentspeech.server.engine.speech import ReadSentence
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.threaded_decoder import stretch, to_samples
from latentspeech.tts.words.onset import Onset
from latentspeech.tts.words.word_clock import WordClock, WordTime

Floats = NDArray[np.float32]


class UnheardSentence:
    """The latents of a sentence that wait to be decoded, and its words whose end is known."""

    def __init__(self, read: ReadSentence, frame_rate: float) -> None:
        self.read = read
        self.is_written = False  # whether all latents have come
        self.decoder: SentenceDecoder | None = None  # once its first latent is decoded
        self._clock = WordClock(read.symbols, frame_rate)
        self._latents: deque[tuple[Floats, float]] = deque()  # (D,), and the pace of each
        self._words: list[WordTime] = []

    def __len__(self) -> int:
        """The number of latents that wait."""
        return len(self._latents)

    def add_symbol(self) -> None:
        """Notes that the model went on to the next symbol of the text."""
        self._words += self._clock.add_symbol()

    def add_latent(self, latent: Floats) -> None:
        """Adds the next latent (D,)."""
        self._clock.add_latent()
        self._latents.append((latent, self._clock.rate))

    def finish(self) -> None:
        """Says that the latents so far are all."""
        self._words += self._clock.finish()
        self.is_written = True

    def take(self, most: int) -> tuple[list[tuple[Floats, float]], list[WordTime]]:
        """Removes up to `most` latents, each with its pace, and all words that are waiting."""
        taken = [self._latents.popleft() for _ in range(min(len(self._latents), most))]
        words, self._words = self._words, []
        return taken, words


class SentenceDecoder:
    """Turns the latents of one sentence into samples at their pace, and times its first word."""

    def __init__(self, model: TTSModel, voice: Prompt, read: ReadSentence, start_s: float) -> None:
        """Makes new states; the sentence begins at `start_s` of the speech."""
        self._codec, self._equalizer = model.codec, model.equalizer(voice.log_gains)
        self._state: Any = self._codec.init_decode_state(1), self._equalizer.init_state(1)
        rate = model.codec.config.sample_rate
        self._stretcher = Stretcher(rate) if read.symbols.is_stretched else None
        self._onset, self._start_s = Onset(rate), start_s

    def decode(self, latents: list[tuple[Floats, float]]) -> Floats:
        """Decodes T latents (D,), each with its pace; returns what is ready (n,)."""
        values = np.stack([latent for latent, _ in latents])
        of_codec, of_equalizer = self._state
        audio, of_codec = self._codec.decode_step(values[None], of_codec)
        audio, of_equalizer = self._equalizer.step(audio, of_equalizer)
        self._state = of_codec, of_equalizer
        samples = to_samples(audio)
        if self._stretcher is None:
            return samples
        return stretch(self._stretcher, samples, [rate for _, rate in latents])

    def finish(self) -> Floats:
        """Returns the rest of the samples (n,)."""
        rest = np.zeros(0, dtype=np.float32)
        return rest if self._stretcher is None else self._stretcher.finish()

    def timed(
        self, samples: Floats, words: list[WordTime], last: bool = False
    ) -> tuple[WordTime, ...]:
        """Returns the words that are known with these samples (n,), from the speech's start."""
        return tuple(one.later(self._start_s) for one in self._onset.step(samples, words, last))
