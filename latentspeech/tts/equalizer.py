"""A filter that undoes the codec's change to the spectrum of a voice.

The codec's copy of a voice is louder than the voice at some frequencies and softer at others, and
this difference is nearly the same in everything that the voice says. We have each prompt twice,
recorded and copied by the codec. So we can compute the gains that make the copy's long-term
spectrum equal to the recording's, and apply them to everything spoken in that voice. The filter is
causal with minimum phase: streaming gives the same result and adds no delay.

B batch, T samples, F = N // 2 + 1 frequencies of a window of N samples, K = N taps.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WINDOW_S = 1 / 30
_MAX_LOG_GAIN = 0.7  # 6 dB
_FLOOR = 1e-7  # power 70 dB below the loudest frequency, under which differences are ignored
# Gains are smoothed with a standard deviation of this many hertz plus this share of the frequency:
# fine enough for the lowest formants, too coarse to follow the prompt's own harmonics.
_SMOOTHING_HZ, _SMOOTHING_SHARE = 30.0, 0.08
FINER = 4  # grid of the cepstrum relative to that of the gains, against aliasing

Reals = NDArray[np.floating[Any]]


def log_gains(
    recording: NDArray[np.float32], copy: NDArray[np.float32], sample_rate: int
) -> NDArray[np.float32]:
    """Returns natural log gains (F,) that make a copy (T,) sound like the recording (T,)."""
    length = window_length(sample_rate)
    wanted, found = (_power(audio, length) for audio in (recording, copy))
    floor = _FLOOR * wanted.max()
    difference = 0.5 * (np.log(wanted + floor) - np.log(found + floor))
    hertz = np.arange(len(difference)) * sample_rate / length
    width = _SMOOTHING_HZ + _SMOOTHING_SHARE * hertz
    weights = np.exp(-0.5 * ((hertz[:, None] - hertz) / width[:, None]) ** 2)
    smooth = (weights @ difference) / weights.sum(axis=1)
    return np.clip(smooth, -_MAX_LOG_GAIN, _MAX_LOG_GAIN).astype(np.float32)


def window_length(sample_rate: int) -> int:
    """Returns the window length N in samples, an even number, for gains at this sample rate."""
    return 2 * round(_WINDOW_S * sample_rate / 2)


class Equalizer:
    """The causal filter that applies log gains (F,), in their precision."""

    def __init__(self, gains: Reals) -> None:
        self.taps = minimum_phase(gains)  # (K,)

    def __call__(self, audio: Reals) -> Reals:
        """Filters whole audio (B, T)."""
        return self.step(audio, self.init_state(len(audio)))[0]

    def init_state(self, batch_size: int) -> Reals:
        """Returns the K - 1 samples before the first one, which are zeros."""
        return np.zeros((batch_size, len(self.taps) - 1), dtype=self.taps.dtype)

    def step(self, x: Reals, state: Reals) -> tuple[Reals, Reals]:
        """x (B, T) -> (B, T)."""
        context = np.concatenate((state, x), axis=1)  # (B, K - 1 + T)
        size = 2 ** math.ceil(math.log2(context.shape[1]))
        spectra = np.fft.rfft(context, size) * np.fft.rfft(self.taps, size)
        y = np.fft.irfft(spectra, size)[:, state.shape[1] : context.shape[1]]
        return y, context[:, x.shape[1] :]


class NoEqualizer:
    """Leaves samples (B, T) as they are."""

    def init_state(self, batch_size: int) -> None:
        """Returns None, since there is nothing to remember."""

    def step(self, x: Reals, state: None) -> tuple[Reals, None]:
        """Returns x."""
        return x, state


def minimum_phase(gains: Reals) -> Reals:
    """Returns taps (K,) of the minimum-phase filter with log gains (F,), by its cepstrum."""
    length = 2 * (len(gains) - 1)
    size = FINER * length
    places = np.arange(size // 2 + 1) / FINER
    finer = np.interp(places, np.arange(len(gains)), gains.astype(np.float64))
    cepstrum = np.fft.irfft(finer, size)
    cepstrum[1 : size // 2] *= 2  # the part at negative times moves to positive times
    cepstrum[size // 2 + 1 :] = 0
    return np.fft.irfft(np.exp(np.fft.rfft(cepstrum)), size)[:length].astype(gains.dtype)


def _power(audio: NDArray[np.float32], length: int) -> NDArray[np.float64]:
    """Returns the mean power (F,) of the windows of audio (T,), with reflected edges."""
    window = 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(length) / length)
    padded = np.pad(audio, length // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, length)[:: length // 4]
    spectra = np.fft.rfft(frames * window)
    power: NDArray[np.float64] = (np.abs(spectra) ** 2).mean(axis=0)
    return power
