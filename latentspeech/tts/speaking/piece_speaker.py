"""Speaks one piece of text as a stream: its samples while it is written, and its words' times.

n samples of a chunk, T latents, D latent dimension.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentspeech.core.lm.sampling.config import SamplingConfig
from latentspeech.tts.latent_writer import Sentence, write_steps
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.retries import WrittenSentence, warn, write_until_good
from latentspeech.tts.threaded_decoder import ThreadedDecoder
from latentspeech.tts.words.onset import Onset
from latentspeech.tts.words.symbol_words import PieceSymbols
from latentspeech.tts.words.word_clock import WordClock, WordTime


@dataclass(frozen=True)
class Chunk:
    """Samples (n,) of a stream, and the words whose times have become known since the last chunk.

    Times are from the start of the stream. A word comes once its end is known, which is with the
    chunk that has its end or the next one.
    """

    samples: NDArray[np.float32]
    words: tuple[WordTime, ...] = ()


@dataclass(frozen=True)
class PieceSpeaker:
    """What is the same for all pieces of a stream."""

    model: TTSModel
    sampling: SamplingConfig
    chunk_frames: int

    def speak(
        self, sentence: Sentence, piece: PieceSymbols, retries: int
    ) -> Generator[Chunk, None, WrittenSentence]:
        """Yields chunks of a piece, with times from its start; returns its latents.

        With retries the piece is held back until it is complete.
        """
        if retries:
            written, chunks = self._hold_back(sentence, piece, retries)
            yield from chunks
            return written
        return (yield from self._write(sentence, piece, warns=True))

    def _write(
        self, sentence: Sentence, piece: PieceSymbols, attempt: int = 0, warns: bool = False
    ) -> Generator[Chunk, None, WrittenSentence]:
        latents: list[NDArray[np.float32]] = []
        words: list[WordTime] = []
        truncated = False
        codec = self.model.codec.config
        clock, onset = WordClock(piece, codec.frame_rate), Onset(codec.sample_rate)
        with ThreadedDecoder(
            self.model, sentence.voice, self.chunk_frames, piece.is_stretched
        ) as decoder:
            for step in write_steps(self.model, [sentence], self.sampling, attempt):
                truncated |= step[0].truncated
                if step[0].latent is None:
                    words += clock.add_symbol()
                else:
                    clock.add_latent()
                    latents.append(step[0].latent)
                    decoder.put(step[0].latent, clock.rate)
                for samples in decoder.finished():
                    yield Chunk(samples, onset.step(samples, words))
                    words = []
            rest = decoder.rest()
        if truncated and warns:
            warn(sentence.text, truncated, 1)
        words += clock.finish()
        for samples in rest:
            yield Chunk(samples, onset.step(samples, words))
            words = []
        nothing = np.zeros(0, dtype=np.float32)
        if left := onset.step(nothing, words, last=True):
            yield Chunk(nothing, left)
        return WrittenSentence(np.stack(latents), truncated)

    def _hold_back(
        self, sentence: Sentence, piece: PieceSymbols, retries: int
    ) -> tuple[WrittenSentence, list[Chunk]]:
        """Each attempt is decoded while it is written; the chunks of a bad attempt are dropped."""
        chunks: list[Chunk] = []

        def write_once(_: Sequence[int], attempt: int) -> list[WrittenSentence]:
            chunks.clear()
            speech = self._write(sentence, piece, attempt)
            while True:
                try:
                    chunks.append(next(speech))
                except StopIteration as end:
                    return [end.value]

        frame_rate = self.model.codec.config.frame_rate
        (written,) = write_until_good([sentence.text], frame_rate, retries, write_once)
        return written, chunks
