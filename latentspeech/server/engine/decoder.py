"""One thread that decodes the latents of all speeches, while another thread writes them.

The speech whose listener runs out of audio first is decoded first. Its chunks begin with one latent
and double, as in tts/threaded_decoder.py; more latents that are there already join the chunk.

D latent dimension, n samples.
"""

import logging
import math
import threading
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentspeech.server.engine.speech import Failed, Finished, SentenceEnded, Speech
from latentspeech.server.metrics import Metrics
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.threaded_decoder import to_samples

Floats = NDArray[np.float32]
_CHUNK_FRAMES = 16  # latents for which a speech waits before it is decoded
_MOST_FRAMES = 64  # latents that are decoded at once, so that others need not wait long

logger = logging.getLogger(__name__)


class _Stream:
    """The latents of a speech that wait to be decoded, and where its decoder is."""

    def __init__(self, model: TTSModel, speech: Speech) -> None:
        self.speech = speech
        self.equalizer = model.equalizer(speech.voice.log_gains)
        self.latents: deque[Floats] = deque()  # (D,) of the sentence in turn and those after it
        self.ends: deque[int] = deque()  # numbers of latents at which sentences end
        self.pauses: deque[float] = deque()  # s before each sentence
        self.num_put = self.num_decoded = 0
        self.is_complete = False
        self.state: Any = None  # of codec and equalizer; None at the beginning of a sentence
        self.chunk_frames = 1
        self.sentence = 0

    @property
    def is_ready(self) -> bool:
        """Whether there is something to do now."""
        return bool(self.ends) or self.is_complete or len(self.latents) >= self.chunk_frames

    def take(self) -> list[Floats]:
        """Removes the latents of the next chunk; none at the end of a sentence."""
        left = self.ends[0] - self.num_decoded if self.ends else len(self.latents)
        count = min(left, _MOST_FRAMES)
        self.num_decoded += count
        return [self.latents.popleft() for _ in range(count)]


class Decoder:
    """The thread and the streams of all speeches that have unheard latents."""

    def __init__(self, model: TTSModel, metrics: Metrics) -> None:
        self._model, self._codec, self._metrics = model, model.codec, metrics
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

    def begin_sentence(self, speech: Speech, pause_s: float) -> None:
        """Says that the latents of another sentence follow, after a pause."""
        with self._changed:
            self._stream(speech).pauses.append(pause_s)

    def put(self, speech: Speech, latent: Floats) -> None:
        """Adds the next latent (D,) of a speech."""
        with self._changed:
            stream = self._stream(speech)
            stream.latents.append(latent)
            stream.num_put += 1
            if stream.is_ready:
                self._changed.notify()

    def end_sentence(self, speech: Speech) -> None:
        """Says that the latents so far complete a sentence."""
        with self._changed:
            stream = self._stream(speech)
            stream.ends.append(stream.num_put)
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
            self._streams[speech] = _Stream(self._model, speech)
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
            latents = stream.take()
            ends = not latents and bool(stream.ends)
            if ends:
                stream.ends.popleft()
            elif not latents:
                self._streams.pop(stream.speech, None)
        if latents:
            self._decode(stream, np.stack(latents))
        elif ends:
            stream.speech.tell(SentenceEnded(stream.sentence))
            stream.sentence += 1
            stream.state, stream.chunk_frames = None, 1
        else:
            stream.speech.tell(Finished())

    def _decode(self, stream: _Stream, latents: Floats) -> None:
        """Decodes latents (T, D) and hands their samples over, after a pause between sentences."""
        if stream.state is None:
            stream.state = self._codec.init_decode_state(1), stream.equalizer.init_state(1)
            pause = math.floor(stream.pauses.popleft() * self._rate)
            if pause:
                self._hand_over(stream, np.zeros(pause, dtype=np.float32))
        of_codec, of_equalizer = stream.state
        audio, of_codec = self._codec.decode_step(latents[None], of_codec)
        audio, of_equalizer = stream.equalizer.step(audio, of_equalizer)
        stream.state = of_codec, of_equalizer
        stream.chunk_frames = min(2 * stream.chunk_frames, _CHUNK_FRAMES)
        self._hand_over(stream, to_samples(audio))

    def _hand_over(self, stream: _Stream, samples: Floats) -> None:
        """Gives samples (n,) to the listener, and counts them."""
        speech, is_first = stream.speech, stream.speech.first_audio_s is None
        speech.hear(samples, stream.sentence, self._rate)
        self._metrics.audio_s.inc(len(samples) / self._rate)
        if is_first:
            assert speech.first_audio_s is not None
            self._metrics.first_audio_s.observe(speech.first_audio_s - speech.arrived_s)
