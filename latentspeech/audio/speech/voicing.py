"""Measures level, periodicity and pitch of a recording frame by frame.

Frames are 40 ms long, 20 ms apart. A voiced sound is periodic: its autocorrelation has a peak near
1 at a lag between 1/450 and 1/60 s.

T samples, N frames, W samples of a frame.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

FRAME_S, HOP_S = 0.04, 0.02
PERIODIC = 0.55  # height of the autocorrelation's peak, from which a frame counts as periodic
MIN_HZ, MAX_HZ = 60.0, 450.0
_FRAMES_AT_ONCE = 2048  # ten minutes of speech would need a gigabyte at once


class Frames(NamedTuple):
    """What is measured of each frame; all arrays are (N,)."""

    level: NDArray[np.floating]  # root mean square without the frame's mean
    periodicity: NDArray[np.floating]  # height of the autocorrelation's peak
    octaves: NDArray[np.floating]  # log2 of the pitch in Hz, if the frame is periodic


def measure_frames(samples: NDArray[np.float32], sample_rate: int) -> Frames:
    """Measures mono samples (T,); there are no frames (N = 0) if they are shorter than one."""
    width, hop = round(FRAME_S * sample_rate), round(HOP_S * sample_rate)
    if len(samples) < width:
        return Frames(*np.zeros((3, 0)))
    frames = np.lib.stride_tricks.sliding_window_view(samples, width)[::hop]  # (N, W)
    blocks = [
        _measure(frames[first : first + _FRAMES_AT_ONCE], sample_rate)
        for first in range(0, len(frames), _FRAMES_AT_ONCE)
    ]
    return Frames(*(np.concatenate(values) for values in zip(*blocks, strict=True)))


def _measure(frames: NDArray[np.float32], sample_rate: int) -> Frames:
    width = frames.shape[1]
    frames = frames - frames.mean(axis=1, keepdims=True)
    level = np.sqrt((frames**2).mean(axis=1))
    window = np.hanning(width)
    first, last = int(sample_rate / MAX_HZ), min(int(sample_rate / MIN_HZ), width - 1)
    correlation = _autocorrelation(frames * window)[:, first:last]
    # A windowed sine would fall with the lag like the window's own autocorrelation.
    correlation = correlation / _autocorrelation(window[None])[:, first:last]
    octaves = np.log2(sample_rate / (first + correlation.argmax(axis=1)))
    return Frames(level, correlation.max(axis=1), octaves)


def _autocorrelation(frames: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N, W) -> (N, W), 1 at lag 0."""
    width = frames.shape[1]
    power = np.abs(np.fft.rfft(frames, 2 * width)) ** 2
    correlation = np.fft.irfft(power)[:, :width]
    result: NDArray[np.floating] = correlation / np.maximum(correlation[:, :1], 1e-12)
    return result
