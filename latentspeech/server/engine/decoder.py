"""One thread that decodes the latents of all speeches, while another thread writes them.

The speech whose listener runs out of audio first is decoded first. Its chunks begin with one latent
and double, as in tts/threaded_decoder.py; more latents that are there already join the chunk.

D latent dimension, n samples.
"""

import logging
import threading
from collections import deque

import numpy as np
from numpy.typing import NDArray

from latentspeech.server.engine.speech import (
    Failed,
    Finished,
    ReadSentence,
    Samples,
    SentenceEnded,
    Speech,
)
from latentspeech.server.engine.unheard import SentenceDecoder, UnheardSentence
from latentspeech.server.metrics import Metrics
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.speaking.parts import silence
from latentspeech.tts.words.word_clock import WordTime

Floats = NDArray[np.float32]
_CHUNK_FRAMES = 16  # latents for which a speech waits before it is decoded
_MOST_FRAMES = 64  # latents that are decoded at once, so that others need not wait long

logger = logging.getLogger(__name__)


class _Stream:
    """The sentences of a speech that wait to be decoded, and where its audio is."""

    def __init__(self, speech: Speech) -> None:
        self.speech = speech
        self.sentences: deque[UnheardSentence] = deque()  # the one in turn and those after it
        self.is_complete = False
        self.chunk_frames = 1
        self.sentence = 0
        self.num_samples = 0  # that were handed over

    @property
    def is_ready(self) -> bool:
        """Whether there is something to do now."""
        if not self.sentences:
            return self.is_complete
        return self.sentences[0].is_written or len(self.sentences[0]) >= self.chunk_frames


class Decoder:
    """The thread and the streams of all speeches that have unheard latents."""

    def __init__(self, model: TTSModel, metrics: Metrics) -> None:
        self._model, self._metrics = model, metrics
        self._rate = model.codec.config.sample_rate
        self._streams: dict[Speech, _Stream] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="speech-decoder", daemon=True)
        self._thread.start()

    @property
    def speeches(self) -> set[Speech]:
        """The speeches that have latents and are not decoded to their end."""
        with self._changed:
            return set(self._streams)

    def begin_sentence(self, speech: Speech, sentence: ReadSentence) -> None:
        """Says that the symbols and latents of another sentence follow."""
        with self._changed:
            waiting = UnheardSentence(sentence, self._model.codec.config.frame_rate)
            self._stream(speech).sentences.append(waiting)

    def put_symbol(self, speech: Speech) -> None:
        """Says that the model went on to the next symbol of the sentence."""
        with self._changed:
            if speech in self._streams:
                self._streams[speech].sentences[-1].add_symbol()

    def put(self, speech: Speech, latent: Floats) -> None:
        """Adds the next latent (D,) of a speech; nothing happens if it was forgotten."""
        with self._changed:
            if speech in self._streams:
                stream = self._streams[speech]
                stream.sentences[-1].add_latent(latent)
                if stream.is_ready:
                    self._changed.notify()

    def end_sentence(self, speech: Speech) -> None:
        """Says that the latents so far complete a sentence."""
        with self._changed:
            if speech in self._streams:
                self._streams[speech].sentences[-1].finish()
                self._changed.notify()

    def end(self, speech: Speech) -> None:
        """Says that no latents of the speech follow."""
        with self._changed:
            self._stream(speech).is_complete = True
            self._changed.notify()

    def forget(self, speech: Speech) -> None:
        """Drops what is left of a speech."""
        with self._changed:
            self._streams.pop(speech, None)

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    def _stream(self, speech: Speech) -> _Stream:
        if speech not in self._streams:
            self._streams[speech] = _Stream(speech)
        return self._streams[speech]

    def _run(self) -> None:
        while (stream := self._next()) is not None:
            try:
                self._advance(stream)
            except Exception:
                logger.exception("decoding failed")
                self.forget(stream.speech)
                stream.speech.tell(Failed("the audio could not be decoded"))

    def _next(self) -> _Stream | None:
        """Waits for a stream that has something to do; None if the thread has to end."""
        with self._changed:
            while not self._closing:
                ready = [stream for stream in self._streams.values() if stream.is_ready]
                if ready:
                    return min(ready, key=lambda stream: stream.speech.deadline_s)
                self._changed.wait()
            return None

    def _advance(self, stream: _Stream) -> None:
        """Decodes a chunk, or ends a sentence or the speech."""
        with self._changed:
            if not stream.sentences:
                self._streams.pop(stream.speech, None)
                stream.speech.tell(Finished())
                return
            sentence = stream.sentences[0]
            latents, words = sentence.take(_MOST_FRAMES)
            if not latents:
                stream.sentences.popleft()
        if latents:
            self._decode(stream, sentence, latents, words)
        else:
            self._end_sentence(stream, sentence, words)

    def _decode(
        self,
        stream: _Stream,
        sentence: UnheardSentence,
        latents: list[tuple[Floats, float]],
        words: list[WordTime],
    ) -> None:
        """Decodes latents and hands their samples over, after the pause before the sentence."""
        if sentence.decoder is None:
            self._hand_over(stream, silence(sentence.read.pause_s, self._rate))
            start_s = stream.num_samples / self._rate
            voice = stream.speech.voice
            sentence.decoder = SentenceDecoder(self._model, voice, sentence.read, start_s)
        samples = sentence.decoder.decode(latents)
        stream.chunk_frames = min(2 * stream.chunk_frames, _CHUNK_FRAMES)
        self._hand_over(stream, samples, sentence.decoder.timed(samples, words))

    def _end_sentence(
        self, stream: _Stream, sentence: UnheardSentence, words: list[WordTime]
    ) -> None:
        """Hands over what is left of a sentence, and the pause after it."""
        assert sentence.decoder is not None
        rest = sentence.decoder.finish()
        self._hand_over(stream, rest, sentence.decoder.timed(rest, words, last=True))
        self._hand_over(stream, silence(sentence.read.pause_after_s, self._rate))
        stream.speech.tell(SentenceEnded(stream.sentence))
        stream.sentence += 1
        stream.chunk_frames = 1

    def _hand_over(
        self, stream: _Stream, samples: Floats, words: tuple[WordTime, ...] = ()
    ) -> None:
        """Gives samples (n,) and words to the listener, and counts the samples."""
        if not len(samples) and not words:
            return
        speech, is_first = stream.speech, stream.speech.first_audio_s is None
        speech.hear(Samples(samples, stream.sentence, words), self._rate)
        stream.num_samples += len(samples)
        self._metrics.audio_s.inc(len(samples) / self._rate)
        if is_first and speech.first_audio_s is not None:
            self._metrics.first_audio_s.observe(speech.first_audio_s - speech.arrived_s)
