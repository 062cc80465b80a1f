"""Finds where speech begins after the silence at the start of a piece.

In training the first symbol holds that silence, so the latents do not tell where its sound begins.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from latentspeech.tts.words.word_clock import WordTime

_WINDOW_S = 0.01
_SPEECH_RMS = 10 ** (-46 / 20)  # of full scale; speech lies near -20 dB, the pauses below -60


class Onset:
    """Holds the first word of a piece back until the start of its sound is known."""

    def __init__(self, sample_rate: int) -> None:
        self._window = round(_WINDOW_S * sample_rate)
        self._sample_rate = sample_rate
        self._rest = np.zeros(0, dtype=np.float32)  # samples that fill no window yet
        self._heard = 0  # samples in whole windows
        self._start_s: float | None = None
        self._waiting: list[WordTime] = []
        self._is_first = True

    def step(
        self, samples: NDArray[np.float32], words: Sequence[WordTime], last: bool = False
    ) -> tuple[WordTime, ...]:
        """Adds samples (n,) and the words that have ended; returns words whose times are final."""
        if not self._is_first:
            return tuple(words)
        self._listen(samples)
        self._waiting += words
        if not self._waiting:
            return ()
        first = self._waiting[0]
        if self._start_s is None and self._heard < first.end_s * self._sample_rate and not last:
            return ()
        start_s = first.start_s if self._start_s is None else self._start_s
        start_s = min(max(start_s, first.start_s), first.end_s)
        final = (replace(first, start_s=start_s), *self._waiting[1:])
        self._is_first, self._waiting = False, []
        return final

    def _listen(self, samples: NDArray[np.float32]) -> None:
        if self._start_s is not None:
            return
        heard = np.concatenate((self._rest, samples))
        count = len(heard) // self._window
        windows = heard[: count * self._window].reshape(count, self._window)
        loud = np.flatnonzero((windows**2).mean(axis=1) > _SPEECH_RMS**2)
        if len(loud):
            self._start_s = (self._heard + int(loud[0]) * self._window) / self._sample_rate
        self._rest = heard[count * self._window :]
        self._heard += count * self._window
