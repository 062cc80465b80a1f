"""A decoder in a thread of its own, so that one core writes latents while another decodes them.

T samples, D latent dimension, n samples of a chunk.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from latentspeech.audio.stretching import Stretcher
from latentspeech.tts.model_directory import TTSModel
from latentspeech.tts.prompt import Prompt


class ThreadedDecoder:
    """Decodes the latents of one sentence in order and in chunks, and applies the equalizer.

    Chunks double from one latent up to `chunk_frames`. Decoding several latents takes little more
    time than decoding one, and while a chunk is heard there is time for the next one.
    """

    def __init__(
        self, model: TTSModel, voice: Prompt, chunk_frames: int, stretched: bool = False
    ) -> None:
        """With `stretched`, latents may have another pace than the voice's own."""
        self._codec = model.codec
        self._equalizer = model.equalizer(voice.log_gains)
        self._most = chunk_frames
        self._size = 1
        self._stretcher = Stretcher(model.codec.config.sample_rate) if stretched else None
        self._waiting: list[NDArray[np.float32]] = []
        self._rates: list[float] = []
        self._thread = ThreadPoolExecutor(1)
        self._fresh_state = self._thread.submit(self._start)  # runs while the model reads the text
        self._state: Any = None
        self._chunks: deque[Future[NDArray[np.float32]]] = deque()
        self._is_first = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def put(self, latent: NDArray[np.float32], rate: float = 1.0) -> None:
        """Adds the next latent (D,), to be heard at a pace, times the voice's own."""
        self._waiting.append(latent)
        self._rates.append(rate)
        if len(self._waiting) == self._size:
            self._size = min(2 * self._size, self._most)
            self._submit()

    def finished(self) -> Iterator[NDArray[np.float32]]:
        """Yields samples (n,) of the chunks decoded so far; waits only for the first chunk."""
        while self._chunks and (self._is_first or self._chunks[0].done()):
            self._is_first = False
            yield self._chunks.popleft().result()

    def rest(self) -> list[NDArray[np.float32]]:
        """Decodes the waiting latents; returns samples (n,) of all chunks not yet returned."""
        if self._waiting:
            self._submit()
        if self._stretcher is not None:
            self._chunks.append(self._thread.submit(self._stretcher.finish))
        return [chunk.result() for chunk in self._chunks]

    def _start(self) -> Any:
        """Makes the states of codec and equalizer before the first latent."""
        return self._codec.init_decode_state(1), self._equalizer.init_state(1)

    def _submit(self) -> None:
        self._chunks.append(self._thread.submit(self._decode, np.stack(self._waiting), self._rates))
        self._waiting, self._rates = [], []

    def _decode(self, latents: NDArray[np.float32], rates: list[float]) -> NDArray[np.float32]:
        state = self._fresh_state.result() if self._state is None else self._state
        of_codec, of_equalizer = state
        audio, of_codec = self._codec.decode_step(latents[None], of_codec)
        audio, of_equalizer = self._equalizer.step(audio, of_equalizer)
        self._state = of_codec, of_equalizer
        samples = to_samples(audio)
        return samples if self._stretcher is None else stretch(self._stretcher, samples, rates)


def stretch(
    stretcher: Stretcher, samples: NDArray[np.float32], rates: Sequence[float]
) -> NDArray[np.float32]:
    """Returns what is ready of samples (n,) that are heard at the pace of each of their latents."""
    parts = np.split(samples, len(rates))
    return np.concatenate([stretcher.step(*pair) for pair in zip(parts, rates, strict=True)])


def to_samples(audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """(1, T) -> (T,), limited to [-1, 1], the range of a file."""
    return np.clip(audio[0], -1, 1)
