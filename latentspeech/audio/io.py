"""Audio files to mono float32 samples and back, with a helpful error for each kind of bad file.

`read_audio` gives a numpy array and needs no torch; `load_audio` gives a tensor, for training and
scores. A file is read by its content, never by its suffix (reading.py). It is written in the format
of its suffix, atomically. T samples.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentspeech.audio.pcm import mono
from latentspeech.audio.reading import open_source, read_mono
from latentspeech.audio.resampling import (
    KAISER_BETA,
    LOWPASS_WIDTH,
    ROLLOFF,
    rate_ratio,
    resample_array,
)
from latentspeech.audio.writer import AudioWriter
from latentspeech.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

# Audio is silent if its loudest 50 ms are below -70 dBFS: 16-bit dither lies near -95, a whisper
# far away near -60.
_SILENCE_RMS = 10 ** (-70 / 20)
_SILENCE_WINDOW_SAMPLES = 1200


def read_audio(
    path: Path, sample_rate: int = 24000, min_seconds: float = 0.0
) -> NDArray[np.float32]:
    """Reads a whole file as mono at `sample_rate`: (T,) float32.

    Channels are averaged, unless that would lose the sound (channels.py).

    Raises InputError for a file that is missing, empty, no audio, truncated, without samples, with
    NaN or infinite samples, or shorter than `min_seconds`.
    """
    audio, own_rate = _read(path, min_seconds)
    return resample_array(audio, own_rate, sample_rate)


def load_audio(path: Path, sample_rate: int = 24000, min_seconds: float = 0.0) -> "Tensor":
    """Does what `read_audio` does, in a tensor of torch."""
    import torch

    audio, own_rate = _read(path, min_seconds)
    return resample(torch.from_numpy(audio), own_rate, sample_rate)


def _read(path: Path, min_seconds: float) -> tuple[NDArray[np.float32], int]:
    """All samples (T,) at the file's own rate, and that rate."""
    path = Path(path)
    source = open_source(path)
    audio = read_mono(source)  # (T,)
    if not len(audio):
        raise InputError(f"{path} holds no samples; expected speech; give another recording")
    check_finite(path, audio)
    if len(audio) < min_seconds * source.sample_rate:
        raise InputError(
            f"{path} is {len(audio) / source.sample_rate:.2f} s long; expected at least "
            f"{min_seconds:g} s; give a longer recording"
        )
    return audio, source.sample_rate


def audio_duration_s(path: Path) -> float:
    """Length in seconds by the header, without decoding. Raises InputError for bad files."""
    return open_source(Path(path)).duration_s


def resample(audio: "Tensor", from_rate: int, to_rate: int) -> "Tensor":
    """Band-limited resampling in torch. (..., T) -> (..., ceil(T * to / from))."""
    if from_rate == to_rate:
        return audio
    import torchaudio

    ratio = rate_ratio(from_rate, to_rate)
    resampled: Tensor = torchaudio.functional.resample(
        audio,
        ratio.denominator,
        ratio.numerator,
        lowpass_filter_width=LOWPASS_WIDTH,
        rolloff=ROLLOFF,
        resampling_method="sinc_interp_kaiser",
        beta=KAISER_BETA,
    )
    return resampled


def check_not_silent(audio: ArrayLike, name: str) -> None:
    """Raises InputError where no 50 ms of audio (T,) are louder than -70 dBFS."""
    samples = mono(audio)
    width = min(_SILENCE_WINDOW_SAMPLES, max(1, len(samples)))
    loudest = 0.0
    if len(samples):
        windows = np.lib.stride_tricks.sliding_window_view(samples, width)[:: max(1, width // 2)]
        loudest = max(float(np.vdot(window, window)) / width for window in windows) ** 0.5
    if loudest < _SILENCE_RMS:
        level = f"{20 * np.log10(loudest):.0f} dBFS" if loudest else "all zeros"
        raise InputError(
            f"{name} is silent ({level}); expected speech above -70 dBFS; "
            "check the microphone or give another recording"
        )


def write_audio(path: Path, audio: ArrayLike, sample_rate: int, comment: str = "") -> None:
    """Writes audio (T,) in the format of the suffix; the file appears whole or not at all.

    `comment` goes into the file's metadata and says where the audio comes from.

    Samples outside [-1, 1] are clipped and counted in a log warning. Raises InputError for an
    unknown suffix, a folder that is missing or read-only, a full disk, and NaN samples.
    """
    with AudioWriter(Path(path), sample_rate, comment) as writer:
        writer.write(audio)


def check_finite(path: Path, audio: NDArray[np.float32]) -> None:
    """Raises InputError where audio (T,) of a file has samples that are no numbers."""
    bad = ~np.isfinite(audio)
    if bad.any():
        raise InputError(
            f"audio of {path} has {int(bad.sum())} NaN or infinite samples (first at "
            f"{int(bad.argmax())}); expected numbers in [-1, 1]; make it again"
        )
