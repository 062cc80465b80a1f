"""Reads the part of a recording that gives a voice: only speech, without offset, loud enough.

T samples.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from latentspeech.audio.io import check_finite, check_not_silent
from latentspeech.audio.reading import open_source, read_mono
from latentspeech.audio.resampling import resample_array
from latentspeech.audio.speech.best_part import best_part, spoken_parts
from latentspeech.audio.speech.recording_faults import is_clipped, noise_and_band_faults
from latentspeech.audio.speech.speech_activity import Stretch, find_speech
from latentspeech.audio.speech.speech_check import check_speech
from latentspeech.core.errors import InputError

MIN_RECORDING_S, MAX_RECORDING_S = 0.5, 600.0
# An offset of less than a thousandth of full scale is left: it does no harm.
_MIN_OFFSET = 1e-3
_QUIET_DBFS, _USUAL_DBFS = -40.0, -26.0
_MAX_PEAK = 0.95


@dataclass(frozen=True)
class SpokenPart:
    """The part that is used, and what there is to say about it."""

    audio: NDArray[np.float32]  # (T,)
    stretches: list[Stretch]  # of the recording, in samples at the same rate
    recording_s: float
    is_cut: bool  # whether speech was left out, not only silence
    faults: list[str]

    def used(self, sample_rate: int) -> str | None:
        """A line that says which part is used; None if all is."""
        used_s = len(self.audio) / sample_rate
        start_s, end_s = self.stretches[0].start / sample_rate, self.stretches[-1].end / sample_rate
        if end_s - start_s >= self.recording_s - 1 / sample_rate and len(self.stretches) == 1:
            return None
        line = f"used {start_s:.1f} to {end_s:.1f} s of {self.recording_s:.1f} s"
        if len(self.stretches) > 1:
            line += f" without the silence within, {used_s:.1f} s"
        return line


def read_spoken_part(path: Path, sample_rate: int, longest_s: float) -> SpokenPart:
    """The best `longest_s` of speech in a recording of 0.5 s to 10 min.

    Raises InputError: the recording is missing, unreadable, silent, too short, too long, noise or
    music.
    """
    source = open_source(path)
    if not MIN_RECORDING_S <= source.duration_s <= MAX_RECORDING_S:
        raise InputError(
            f"{path} lasts {source.duration_s:.2f} s; a prompt lasts {MIN_RECORDING_S} s to "
            f"{MAX_RECORDING_S / 60:.0f} min, best 3 to 10 s: record more or cut it"
        )
    recorded = read_mono(source)
    check_finite(path, recorded)
    clipped = is_clipped(recorded)
    whole = resample_array(recorded, source.sample_rate, sample_rate)  # (T,)
    offset = whole.mean(dtype=np.float64)
    if abs(offset) > _MIN_OFFSET:
        whole = whole - np.float32(offset)
    check_not_silent(whole, str(path))
    activity = find_speech(whole, sample_rate)
    parts = spoken_parts(activity, len(whole), sample_rate) or [Stretch(0, len(whole))]
    used = best_part(parts, activity, sample_rate, longest_s)
    audio, faults = _loud_enough(np.concatenate([whole[part.start : part.end] for part in used]))
    check_speech(audio, sample_rate, str(path))
    if clipped:
        faults.append("clipped: record it again at a lower level")
    faults += noise_and_band_faults(audio, sample_rate)
    return SpokenPart(audio, used, len(whole) / sample_rate, used != parts, faults)


def _loud_enough(audio: NDArray[np.float32]) -> tuple[NDArray[np.float32], list[str]]:
    """Audio (T,) at a usual level if it was very quiet, and a line about that."""
    level_dbfs = 10 * float(np.log10(np.mean(audio.astype(np.float64) ** 2)))
    if level_dbfs >= _QUIET_DBFS:
        return audio, []
    gain = min(10 ** ((_USUAL_DBFS - level_dbfs) / 20), _MAX_PEAK / float(np.abs(audio).max()))
    line = (
        f"very quiet ({level_dbfs:.0f} dBFS), so its level was raised: record it louder, near the "
        "microphone"
    )
    return audio * np.float32(gain), [line]
