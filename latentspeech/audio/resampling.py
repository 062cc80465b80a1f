"""Band-limited resampling by a Kaiser-windowed sinc, in numpy (Smith, Digital Audio Resampling).

It has the filter of `torchaudio.functional.resample` with the settings below, so that a recording
gives the same voice with and without torch.

T samples, K taps, p output samples for every q input samples.
"""

import functools
import math
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

LOWPASS_WIDTH = 64  # zero crossings of the sinc on each side
ROLLOFF = 0.9475937167399596  # cut-off as a share of the lower Nyquist frequency
KAISER_BETA = 14.769656459379492
# Rates without a common factor would need a filter per sample; with denominators up to this the
# ratio is off by about one in a million at most, and by nothing for every rate in use.
_MAX_RATIO_DENOMINATOR = 1000
_FRAMES_AT_ONCE = 1 << 12


def rate_ratio(from_rate: int, to_rate: int) -> Fraction:
    """p / q, the output samples for each input sample."""
    return Fraction(to_rate, from_rate).limit_denominator(_MAX_RATIO_DENOMINATOR)


def resample_array(audio: NDArray[np.float32], from_rate: int, to_rate: int) -> NDArray[np.float32]:
    """(T,) -> (ceil(T * to / from),)."""
    if from_rate == to_rate or not len(audio):
        return audio
    ratio = rate_ratio(from_rate, to_rate)
    filters, width = _filters(ratio)  # (p, K)
    step = ratio.denominator
    padded = np.pad(audio, (width, width + step))
    frames = np.lib.stride_tricks.sliding_window_view(padded, filters.shape[1])[::step]
    # A block at a time: together the frames take many times the memory of the audio.
    blocks = [
        frames[first : first + _FRAMES_AT_ONCE] @ filters.T
        for first in range(0, len(frames), _FRAMES_AT_ONCE)
    ]
    length = math.ceil(ratio * len(audio))
    return np.concatenate(blocks).ravel()[:length]


@functools.lru_cache(maxsize=4)
def _filters(ratio: Fraction) -> tuple[NDArray[np.float32], int]:
    """The filter of each of the p output samples, (p, K), and the reach of the filters."""
    up, down = ratio.numerator, ratio.denominator
    cutoff = min(up, down) * ROLLOFF
    width = math.ceil(LOWPASS_WIDTH * down / cutoff)
    taps = np.arange(-width, width + down) / down
    t = (np.arange(0, -up, -1)[:, None] / up + taps) * cutoff  # (p, K) in zero crossings
    t = np.clip(t, -LOWPASS_WIDTH, LOWPASS_WIDTH)
    window = np.i0(KAISER_BETA * np.sqrt(1 - (t / LOWPASS_WIDTH) ** 2)) / np.i0(KAISER_BETA)
    return (np.sinc(t) * window * (cutoff / down)).astype(np.float32), width
