"""Audio files to mono float32 tensors and back, with a helpful error for each kind of bad file.

A file is read by its content, never by its suffix: WAV, FLAC, Ogg (Vorbis, Opus), MP3 and whatever
else libsndfile knows. It is written in the format of its suffix, atomically. T samples.
"""

from fractions import Fraction
from pathlib import Path

import soundfile
import torch
import torchaudio
from torch import Tensor

from latentspeech.audio.completeness import find_defect
from latentspeech.audio.writer import AudioWriter
from latentspeech.core.errors import InputError
from latentspeech.core.tensors import check_shape

_READABLE = "a wav, flac, ogg, opus or mp3 file"
_BLOCK_FRAMES = 1 << 16
# Without a Xing frame the length of an MP3 is estimated as its size, with the tags at its end,
# divided by the bit rate.
_ESTIMATED_LENGTH = ("MP3",)
_UNRECOGNISED_FORMAT = 1  # libsndfile's SF_ERR_UNRECOGNISED_FORMAT
# Audio is silent if its loudest 50 ms are below -70 dBFS: 16-bit dither lies near -95, a whisper
# far away near -60.
_SILENCE_RMS = 10 ** (-70 / 20)
_SILENCE_WINDOW_SAMPLES = 1200
# Rates without a common factor would need a filter per sample; with denominators up to this the
# ratio is off by about one in a million at most, and by nothing for every rate in use.
_MAX_RATIO_DENOMINATOR = 1000


def load_audio(path: Path, sample_rate: int = 24000, min_seconds: float = 0.0) -> Tensor:
    """Reads a whole file as mono at `sample_rate`, channels averaged: (T,) float32.

    Raises InputError for a file that is missing, empty, no audio, truncated, without samples, with
    NaN or infinite samples, or shorter than `min_seconds`.
    """
    path = Path(path)
    _check_file(path)
    blocks: list[Tensor] = []
    count = 0
    with _open(path) as file:
        promised, file_rate = file.frames, file.samplerate
        try:
            while len(block := file.read(_BLOCK_FRAMES, dtype="float32", always_2d=True)):
                blocks.append(torch.from_numpy(block).mean(dim=1))
                count += len(block)
        except soundfile.LibsndfileError:
            raise _truncated(
                path, f"its header promises {promised} frames, {count} can be read"
            ) from None
        if count < promised and file.format not in _ESTIMATED_LENGTH:
            raise _truncated(path, f"its header promises {promised} frames, {count} can be read")
    if count == 0:
        raise InputError(f"{path} holds no samples; expected speech; give another recording")
    audio = torch.cat(blocks)  # (T,)
    _check_finite(path, audio)
    if count < min_seconds * file_rate:
        raise InputError(
            f"{path} is {count / file_rate:.2f} s long; expected at least {min_seconds:g} s; "
            "give a longer recording"
        )
    return resample(audio, file_rate, sample_rate)


def audio_duration_s(path: Path) -> float:
    """Length in seconds by the header, without decoding. Raises InputError for bad files."""
    path = Path(path)
    _check_file(path)
    with _open(path) as file:
        return float(file.frames / file.samplerate)


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


def _check_file(path: Path) -> None:
    """Raises InputError, before libsndfile reads it, unless a file is readable and complete."""
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected {_READABLE}; give the path of a file in it")
    try:
        if not path.exists():
            raise InputError(f"{path} not found; expected {_READABLE}; check the path")
        if not path.is_file():
            raise InputError(f"{path} is a pipe or device; expected {_READABLE}; save it to a file")
        if path.stat().st_size == 0:
            raise InputError(
                f"{path} is empty (0 bytes); expected {_READABLE}; record or copy it again"
            )
        defect = find_defect(path)
    except OSError as error:
        raise InputError(
            f"{path} cannot be read: {error.strerror}; expected {_READABLE}; check its permissions"
        ) from None
    if defect is not None:
        raise InputError(
            f"{path} {defect}; expected {_READABLE} that is whole; "
            "copy it again or convert it to wav"
        )


def _open(path: Path) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        if error.code == _UNRECOGNISED_FORMAT:
            found = "is no audio, or of an unknown format"
        else:
            found = "is damaged, cut short or of an unsupported encoding"
        raise InputError(
            f"{path} {found}; expected {_READABLE}; convert or copy it again"
        ) from None


def _truncated(path: Path, shortfall: str) -> InputError:
    return InputError(f"{path} is truncated: {shortfall}; expected the whole file; copy it again")


def _check_finite(path: Path, audio: Tensor) -> None:
    bad = ~torch.isfinite(audio)
    if bool(bad.any()):
        first = int(bad.nonzero()[0])
        raise InputError(
            f"audio of {path} has {int(bad.sum())} NaN or infinite samples (first at {first}); "
            "expected numbers in [-1, 1]; make it again"
        )
