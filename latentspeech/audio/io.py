"""Audio files to mono float32 tensors and back, with a helpful error for each kind of bad file.

A file is read by its content, never by its suffix (reading.py). It is written in the format of its
suffix, atomically. T samples.
"""

from fractions import Fraction
from pathlib import Path

import torch
import torchaudio
from torch import Tensor

from latentspeech.audio.reading import open_source, read_mono
from latentspeech.audio.writer import AudioWriter
from latentspeech.core.errors import InputError
from latentspeech.core.tensors import check_shape

# Audio is silent if its loudest 50 ms are below -70 dBFS: 16-bit dither lies near -95, a whisper
# far away near -60.
_SILENCE_RMS = 10 ** (-70 / 20)
_SILENCE_WINDOW_SAMPLES = 1200
# Rates without a common factor would need a filter per sample; with denominators up to this the
# ratio is off by about one in a million at most, and by nothing for every rate in use.
_MAX_RATIO_DENOMINATOR = 1000


def load_audio(path: Path, sample_rate: int = 24000, min_seconds: float = 0.0) -> Tensor:
    """Reads a whole file as mono at `sample_rate`: (T,) float32.

    Channels are averaged, unless that would lose the sound (channels.py).

    Raises InputError for a file that is missing, empty, no audio, truncated, without samples, with
    NaN or infinite samples, or shorter than `min_seconds`.
    """
    path = Path(path)
    source = open_source(path)
    audio = read_mono(source)  # (T,)
    if audio.numel() == 0:
        raise InputError(f"{path} holds no samples; expected speech; give another recording")
    check_finite(path, audio)
    if audio.numel() < min_seconds * source.sample_rate:
        raise InputError(
            f"{path} is {audio.numel() / source.sample_rate:.2f} s long; expected at least "
            f"{min_seconds:g} s; give a longer recording"
        )
    return resample(audio, source.sample_rate, sample_rate)


def audio_duration_s(path: Path) -> float:
    """Length in seconds by the header, without decoding. Raises InputError for bad files."""
    return open_source(Path(path)).duration_s


def resample(audio: Tensor, from_rate: int, to_rate: int) -> Tensor:
    """Band-limited resampling, Kaiser-windowed sinc. (..., T) -> (..., ceil(T * to / from))."""
    if from_rate == to_rate:
        return audio
    ratio = Fraction(to_rate, from_rate).limit_denominator(_MAX_RATIO_DENOMINATOR)
    resampled: Tensor = torchaudio.functional.resample(
        audio,
        ratio.denominator,
        ratio.numerator,
        lowpass_filter_width=64,
        rolloff=0.9475937167399596,
        resampling_method="sinc_interp_kaiser",
        beta=14.769656459379492,
    )
    return resampled


def check_not_silent(audio: Tensor, name: str) -> None:
    """Raises InputError where no 50 ms of audio (T,) are louder than -70 dBFS."""
    power = audio.float().square()
    width = min(_SILENCE_WINDOW_SAMPLES, max(1, power.numel()))
    loudest = 0.0
    if power.numel():
        windows = torch.nn.functional.avg_pool1d(power[None, None], width, max(1, width // 2))
        loudest = float(windows.max()) ** 0.5
    if loudest < _SILENCE_RMS:
        level = f"{20 * torch.tensor(loudest).log10().item():.0f} dBFS" if loudest else "all zeros"
        raise InputError(
            f"{name} is silent ({level}); expected speech above -70 dBFS; "
            "check the microphone or give another recording"
        )


def write_audio(path: Path, audio: Tensor, sample_rate: int, comment: str = "") -> None:
    """Writes audio (T,) in the format of the suffix; the file appears whole or not at all.

    `comment` goes into the file's metadata and says where the audio comes from.

    Samples outside [-1, 1] are clipped and counted in a log warning. Raises InputError for an
    unknown suffix, a folder that is missing or read-only, a full disk, and NaN samples.
    """
    check_shape("audio", audio, "T")
    with AudioWriter(Path(path), sample_rate, comment) as writer:
        writer.write(audio)


def check_finite(path: Path, audio: Tensor) -> None:
    """Raises InputError where audio (T,) of a file has samples that are no numbers."""
    bad = ~torch.isfinite(audio)
    if bool(bad.any()):
        first = int(bad.nonzero()[0])
        raise InputError(
            f"audio of {path} has {int(bad.sum())} NaN or infinite samples (first at {first}); "
            "expected numbers in [-1, 1]; make it again"
        )
