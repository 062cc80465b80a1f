"""Short-time spectra of samples and samples of spectra, in numpy: nothing here is learned.

They are LogSpectrum of stft_encoder.py and IstftHead of istft_head.py without its linear layer. The
state is an argument, as there.

B batch, T samples, N frames, W window_length, H hop_length, F = W // 2 + 1 bins, Q lags.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentspeech.codec.config import (
    MAX_LOG_MAGNITUDE,
    SPECTRUM_FLOOR,
    SPECTRUM_SCALE,
    StftEncoderConfig,
)

Floats = NDArray[np.float32]
Spectra = NDArray[np.complexfloating[Any, Any]]


def hann_window(length: int) -> NDArray[np.float64]:
    """The periodic Hann window (W,)."""
    return 0.5 - 0.5 * np.cos(2 * math.pi * np.arange(length) / length)


class LogSpectrum:
    """Samples to log magnitudes and cepstrum."""

    def __init__(self, config: StftEncoderConfig) -> None:
        self._length, self._hop = config.window_length, config.hop_length
        self._window = hann_window(self._length).astype(np.float32)
        self._lags = slice(0, 0)
        if config.cepstrum_lags is not None:
            self._lags = slice(config.cepstrum_lags[0], config.cepstrum_lags[1] + 1)
        self.num_features = self._length // 2 + 1 + self._lags.stop - self._lags.start

    def init_state(self, batch_size: int) -> Floats:
        """The W - H samples before the first one, which are zeros."""
        return np.zeros((batch_size, self._length - self._hop), dtype=np.float32)

    @np.errstate(over="ignore", invalid="ignore")  # who encodes sees that latents are not finite
    def step(self, x: Floats, state: Floats) -> tuple[Floats, Floats]:
        """x (B, T) -> (B, T / H, F + Q); H divides T."""
        samples = np.concatenate((state, x), axis=1)
        frames = np.lib.stride_tricks.sliding_window_view(samples, self._length, axis=1)
        spectrum = np.fft.rfft(frames[:, :: self._hop] * self._window)  # (B, N, F)
        power = spectrum.real**2 + spectrum.imag**2
        features = np.log(np.maximum(power, SPECTRUM_FLOOR**2)) * (0.5 * SPECTRUM_SCALE)
        if self._lags.stop:
            cepstrum = np.fft.irfft(features)[..., self._lags] * math.sqrt(self._length)
            features = np.concatenate((features, cepstrum), axis=-1)
        return features.astype(np.float32, copy=False), samples[:, x.shape[1] :]


class InverseSpectrum:
    """Spectra of frames to samples, by windows that overlap."""

    def __init__(self, window_length: int, hop_length: int) -> None:
        self._length, self._hop = window_length, hop_length
        window = hann_window(window_length)
        envelope = (window**2).reshape(-1, hop_length).sum(axis=0)  # (H,)
        scale = window.reshape(-1, hop_length) / envelope
        self._scale = scale.ravel().astype(np.float32)

    def init_state(self, batch_size: int) -> Floats:
        """The W - H samples that await later frames, as blocks of H."""
        return np.zeros((batch_size, self._length // self._hop - 1, self._hop), dtype=np.float32)

    def step(self, spectra: Spectra, state: Floats) -> tuple[Floats, Floats]:
        """Complex spectra (B, N, F) -> samples (B, N H)."""
        frames = np.fft.irfft(spectra, self._length) * self._scale  # (B, N, W)
        batch, num_frames, _ = frames.shape
        parts = frames.reshape(batch, num_frames, -1, self._hop)  # (B, N, W / H, H)
        num_blocks = parts.shape[2]
        total = np.zeros((batch, num_frames + num_blocks - 1, self._hop), dtype=np.float32)
        total[:, : num_blocks - 1] = state
        for i in range(num_blocks):
            total[:, i : i + num_frames] += parts[:, :, i]
        return total[:, :num_frames].reshape(batch, -1), total[:, num_frames:]


def complex_spectrum(log_magnitude: Floats, phase: Floats) -> NDArray[np.complex64]:
    """Complex spectra of log magnitudes and phases (B, N, F)."""
    magnitude = np.exp(np.minimum(log_magnitude, np.float32(MAX_LOG_MAGNITUDE)))
    spectra = np.empty(phase.shape, dtype=np.complex64)
    spectra.real, spectra.imag = magnitude * np.cos(phase), magnitude * np.sin(phase)
    return spectra
