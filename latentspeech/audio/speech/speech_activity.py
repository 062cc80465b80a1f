"""Finds where someone speaks in a recording, whatever its level, offset and steady noise.

Voiced frames mark speech: periodic ones that rise above the noise floor and are not much softer
than the others. Sounds next to them, such as a final "s", belong to it. A tenth of the frames are
softer than the noise floor; digital silence does not count. Level and periodicity ignore a constant
offset.

T samples, N frames.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from latentspeech.audio.speech.voicing import HOP_S, MAX_HZ, PERIODIC, measure_frames

_RATE_HZ = 8000  # enough for pitch and level of voices, and quicker than the recording's own rate
# Rumble and hum are low, so lows are made softer; white noise asks for less of that.
_LOWER_LOWS = 0.5
_DIGITAL_SILENCE_DB = -100.0
_FLOOR_PERCENTILE = 10.0
_ABOVE_FLOOR_DB = 6.0
_BELOW_VOICE_DB = 30.0
_MIN_VOICED_FRAMES = 3  # shorter ones are clicks
_REACH_S = 0.6  # of speech beyond a voiced frame, as long as it is loud
_MARGIN_S = 0.3  # silence that is kept beside speech


class Stretch(NamedTuple):
    """A part of a recording, from sample `start` up to `end`."""

    start: int
    end: int


@dataclass(frozen=True)
class Activity:
    """Where speech is."""

    stretches: list[Stretch]  # with a margin; in order and apart from each other
    hop: int  # samples from one frame to the next
    voiced: NDArray[np.bool_]  # (N,)
    level_db: NDArray[np.floating]  # (N,) relative to full scale
    voice_db: float  # mean level of the voiced frames, where the loud ones count most
    floor_db: float  # level of the noise between words


def find_speech(samples: NDArray[np.float32], sample_rate: int) -> Activity:
    """Finds the stretches of speech in mono samples (T,); none where no frame is voiced."""
    factor = max(1, sample_rate // _RATE_HZ)
    slow = samples[: len(samples) // factor * factor].reshape(-1, factor).mean(axis=1)
    clear = slow[1:] - _LOWER_LOWS * slow[:-1]
    frames = measure_frames(clear, sample_rate // factor)
    hop = round(HOP_S * (sample_rate // factor)) * factor
    level_db = 20 * np.log10(frames.level + 1e-7)
    audible = level_db[level_db > _DIGITAL_SILENCE_DB]
    floor_db = float(np.percentile(audible, _FLOOR_PERCENTILE)) if len(audible) else -np.inf
    periodic = (frames.periodicity > PERIODIC) & (level_db > floor_db + _ABOVE_FLOOR_DB)
    # The autocorrelation of rumble has no peak but falls from the shortest lag on.
    periodic &= frames.octaves < np.log2(MAX_HZ)
    if not periodic.any():
        return Activity([], hop, periodic, level_db, -np.inf, floor_db)
    power = frames.level[periodic] ** 2
    voice_db = float((power * level_db[periodic]).sum() / power.sum())
    loud = level_db > max(voice_db - _BELOW_VOICE_DB, floor_db + _ABOVE_FLOOR_DB)
    voiced = _long_runs(periodic & loud)
    near = _widened(voiced, round(_REACH_S / HOP_S))
    spoken = _widened(voiced | (near & loud), round(_MARGIN_S / HOP_S))
    runs = [Stretch(first * hop, min(last * hop, len(samples))) for first, last in _runs(spoken)]
    return Activity(runs, hop, voiced, level_db, voice_db, floor_db)


def _long_runs(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    kept = np.zeros_like(flags)
    for first, last in _runs(flags):
        kept[first:last] = last - first >= _MIN_VOICED_FRAMES
    return kept


def _widened(flags: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """The frames that are at most `reach` frames from a set one."""
    widened: NDArray[np.bool_] = np.convolve(flags, np.ones(2 * reach + 1)) > 0.5
    return widened[reach : reach + len(flags)]


def _runs(flags: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """(first, last + 1) of each run of set frames."""
    edges = np.diff(flags.astype(np.int8), prepend=0, append=0)
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    return list(zip(starts.tolist(), ends.tolist(), strict=True))
