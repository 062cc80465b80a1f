"""Tells what is wrong with a recording of speech, in words that say what to do.

The limits were chosen on 16 clips of a woman and 16 of neural voices with faults added. Each limit
divides the clean clips from the faulty ones, but for echo: rooms whose echo takes 1 s to fade by
60 dB are told in most clips, those of 0.6 s in some, and those of 0.3 s in none.

T samples, N frames.
"""

import numpy as np
from numpy.typing import NDArray

from latentspeech.audio.speech.voicing import HOP_S, PERIODIC, Frames, measure_frames

_DIGITAL_SILENCE_DB = -100.0
_LOUD_DB = 30.0  # voiced frames are at most this much softer than the loudest
_QUIET_PERCENTILE = 2.0
# Between words clean clips lie 39 dB or more below the voice; with noise 15 dB below it 16 to 21.
_MIN_QUIET_DB = 20.0
# After a sound the level falls by 116 dB/s or more in clean clips, by 50 to 99 with an echo of 1 s.
_MIN_DECAY_DB_PER_S = 85.0
_MIN_DECAY_FRAMES, _MIN_DECAY_DB = 6, 15.0
_MAX_REBOUND_DB = 0.5
# Neighbours near the highest peak: at most 0.02 % in clean clips, 0.08 % at twice the range.
_NEAR_PEAK, _MAX_NEAR_PEAK_SHARE = 0.97, 5e-4
# A telephone leaves nothing above 4 kHz: 106 dB less than below, 16 dB less in clean clips.
_HIGH_HZ, _LOW_HZ = (4500.0, 7500.0), (1000.0, 3500.0)
_MIN_HIGH_DB = -50.0


def is_clipped(samples: NDArray[np.float32]) -> bool:
    """Whether samples (T,), at the rate of the recording, stay at their peak unnaturally long."""
    at_peak = np.abs(samples) >= _NEAR_PEAK * np.abs(samples).max(initial=0.0)
    return bool((at_peak[1:] & at_peak[:-1]).mean() > _MAX_NEAR_PEAK_SHARE)


def noise_and_band_faults(samples: NDArray[np.float32], sample_rate: int) -> list[str]:
    """What is wrong with the noise, echo and band of speech (T,); empty if nothing is."""
    faults: list[str] = []
    frames = measure_frames(samples, sample_rate)
    level_db = 20 * np.log10(frames.level + 1e-7)
    quiet_db = _quiet_db(frames, level_db)
    if quiet_db < _MIN_QUIET_DB or _decay_db_per_s(level_db) < _MIN_DECAY_DB_PER_S:
        faults.append(
            f"noisy or echoing (between words it falls by {quiet_db:.0f} dB): record in a quiet "
            "room with soft furniture, near the microphone"
        )
    if _high_db(samples, sample_rate) < _MIN_HIGH_DB:
        faults.append(
            "without any sound above 4.5 kHz, like a telephone call, and so will be the voice: "
            "record at 24 kHz or more"
        )
    return faults


def _quiet_db(frames: Frames, level_db: NDArray[np.floating]) -> float:
    """How far the softest frames lie below the voiced ones."""
    voiced = (frames.periodicity > PERIODIC) & (level_db > level_db.max() - _LOUD_DB)
    audible = level_db[level_db > _DIGITAL_SILENCE_DB]
    if not voiced.any():
        return 0.0
    voice_db = 10 * np.log10((frames.level[voiced] ** 2).mean())
    return float(voice_db - np.percentile(audible, _QUIET_PERCENTILE))


def _decay_db_per_s(level_db: NDArray[np.floating]) -> float:
    """The median slope at which the level (N,) falls after sounds; infinite if it never does."""
    slopes: list[float] = []
    first = 0
    while first < len(level_db) - 1:
        last = first
        while last + 1 < len(level_db) and level_db[last + 1] < level_db[last] + _MAX_REBOUND_DB:
            last += 1
        fallen = level_db[first] - level_db[last]
        if last - first + 1 >= _MIN_DECAY_FRAMES and fallen >= _MIN_DECAY_DB:
            times_s = np.arange(last - first + 1) * HOP_S
            slopes.append(-float(np.polyfit(times_s, level_db[first : last + 1], 1)[0]))
        first = max(last, first + 1)
    return float(np.median(slopes)) if slopes else np.inf


def _high_db(samples: NDArray[np.float32], sample_rate: int) -> float:
    """Mean power of a high band over that of a low one."""
    power = np.abs(np.fft.rfft(samples)) ** 2
    hertz = np.fft.rfftfreq(len(samples), 1 / sample_rate)
    high, low = (
        float(power[(hertz > first) & (hertz < last)].mean()) for first, last in (_HIGH_HZ, _LOW_HZ)
    )
    return 10 * np.log10((high + 1e-20) / (low + 1e-20))
