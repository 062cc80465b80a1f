"""Pitch from logits and the spectra of pulses at that pitch, in numpy: nothing here is learned.

They are the estimate of PitchBins (codec/pitch.py) and HarmonicSource (harmonic_source.py), which
give the reasons; the state is an argument, as there.

B batch, N frames, P pitch bins, W window_length, H hop_length, F = W // 2 + 1 bins.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from latentspeech.codec.config import (
    MAX_GLIDE,
    NEAR_CENTS,
    PITCH_SHARPNESS,
    PitchConfig,
)
from latentspeech.codec.onnx.spectra import hann_window
from latentspeech.core.diffusion.host_schedule import even_steps

Floats = NDArray[np.floating[Any]]
Spectra = NDArray[np.complexfloating[Any, Any]]
_CENTS = np.float32(1200 / math.log(2))


class PitchEstimate:
    """Logits to pitch and voicing."""

    def __init__(self, config: PitchConfig) -> None:
        low, high = np.log((config.min_hz, config.max_hz)).astype(np.float32)
        self._log_pitch = even_steps(low, high, config.bins)
        self._least = np.exp(self._log_pitch[0])

    @np.errstate(over="ignore")  # a frame that is surely unvoiced: 1 / (1 + inf) is 0
    def __call__(self, logits: Floats) -> tuple[Floats, Floats]:
        """Logits (B, N, P + 1) -> pitch (B, N) in Hz, and probability of being voiced (B, N)."""
        bins = logits[..., :-1]
        peak = _softmax(bins * np.float32(PITCH_SHARPNESS)) @ self._log_pitch  # (B, N)
        cents = (self._log_pitch - peak[..., None]) * _CENTS
        weights = _softmax(bins) * np.exp(np.float32(-0.5) * (cents / np.float32(NEAR_CENTS)) ** 2)
        weights = weights / np.maximum(weights.sum(axis=-1, keepdims=True), np.float32(1e-30))
        pitch = np.maximum(np.exp(weights @ self._log_pitch), self._least)
        return pitch, 1 / (1 + np.exp(-logits[..., -1]))


class PulseSpectra:
    """Pitch to the spectra of pulses, with the phase carried along."""

    def __init__(self, sample_rate: int, window_length: int, hop_length: int) -> None:
        self._rate, self._length = sample_rate, window_length
        self._step_s = hop_length / sample_rate
        self._window = hann_window(window_length).astype(np.float32)
        samples = np.arange(window_length, dtype=np.float32) - np.float32(window_length / 2)
        self._seconds = samples / np.float32(sample_rate)

    def init_state(self, batch_size: int) -> NDArray[np.float64]:
        """Phase in cycles and pitch in Hz of the last frame (B, 2)."""
        return np.zeros((batch_size, 2))

    def step(
        self, pitch: Floats, state: NDArray[np.float64]
    ) -> tuple[Spectra, NDArray[np.float64]]:
        """Pitch (B, N), Hz -> complex spectra (B, N, F), new state."""
        hertz = pitch.astype(np.float64)
        before = np.concatenate((state[:, 1:], hertz[:, :-1]), axis=1)
        before = np.where(before > 0, before, hertz)
        cycles = state[:, :1] + ((hertz + before) * (0.5 * self._step_s)).cumsum(axis=1)
        gliding = np.abs(np.log(hertz / before)) < MAX_GLIDE
        slope = np.where(gliding, (hertz - before) / self._step_s, 0)  # Hz per second
        state = np.stack((cycles[:, -1] % 1, hertz[:, -1]), axis=1)
        return self._spectra(hertz, slope, cycles % 1), state

    def _spectra(self, *of_frames: NDArray[np.float64]) -> Spectra:
        pitch, slope, start = (value.astype(np.float32)[..., None] for value in of_frames)
        seconds, half = self._seconds, np.float32(0.5)
        turns = start + seconds * (pitch + half * slope * seconds)  # (B, N, W)
        angle = np.float32(math.pi) * (turns - np.round(turns))  # theta / 2, within +-pi / 2
        count = 2 * np.floor(np.float32(0.5 * self._rate) / pitch) + 1
        sine = np.sin(angle)
        peak = np.abs(sine) < 1e-5
        kernel = np.sin(count * angle) / np.where(peak, np.float32(1), sine)
        pulses = half * (np.where(peak, count, kernel) - 1)
        spectra: Spectra = np.fft.rfft(pulses * self._window)
        return spectra * np.float32(4 / self._length)


def _softmax(x: Floats) -> Floats:
    powers: Floats = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
