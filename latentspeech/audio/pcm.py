"""Converts raw PCM bytes to arrays and back, and makes the WAV header of a stream without an end.

PCM is mono and little-endian. `float32` values are kept, `s16le` maps -32768..32767 to [-1, 1).
T samples.
"""

import struct
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from latentspeech.core.errors import InputError

PcmFormat = Literal["float32", "s16le"]

_SAMPLE_BYTES: dict[PcmFormat, int] = {"float32": 4, "s16le": 2}
_WAV_ENCODING: dict[PcmFormat, int] = {"float32": 3, "s16le": 1}
_S16_SCALE = 32768.0
# ffmpeg and sox write this where the length is not known yet; readers then read to the end.
_UNKNOWN_LENGTH = 0xFFFFFFFF


def decode_pcm(data: bytes, pcm_format: PcmFormat) -> tuple[NDArray[np.float32], bytes]:
    """Whole samples of `data` as (T,) float32, and the bytes of a last sample not yet complete.

    Put the remainder in front of the next bytes read. Raises InputError on NaN and infinity, which
    mean that the bytes are in another format.
    """
    whole = len(data) - len(data) % _SAMPLE_BYTES[pcm_format]
    if pcm_format == "s16le":
        integers = np.frombuffer(data, dtype="<i2", count=whole // 2)
        return integers.astype(np.float32) / np.float32(_S16_SCALE), data[whole:]
    audio = np.frombuffer(data, dtype="<f4", count=whole // 4).astype(np.float32)
    if not np.isfinite(audio).all():
        raise InputError(
            "raw input holds NaN or infinite samples; expected float32 little-endian PCM; "
            "for 16-bit input choose the s16le format"
        )
    return audio, data[whole:]


def encode_pcm(audio: ArrayLike, pcm_format: PcmFormat) -> bytes:
    """Audio (T,) as bytes; s16le rounds and clips, float32 keeps every value."""
    samples = mono(audio)
    if pcm_format == "float32":
        return samples.astype("<f4").tobytes()
    integers = np.clip(np.round(samples * np.float32(_S16_SCALE)), -_S16_SCALE, _S16_SCALE - 1)
    return integers.astype("<i2").tobytes()


def mono(audio: ArrayLike) -> NDArray[np.float32]:
    """Samples (T,) in an array or a tensor on the CPU as float32; ValueError for other shapes."""
    samples = np.asarray(audio, dtype=np.float32)
    if samples.ndim != 1:
        raise ValueError(f"audio has shape {samples.shape}; expected (T,)")
    return samples


def wav_stream_header(sample_rate: int, pcm_format: PcmFormat = "s16le") -> bytes:
    """The 44 bytes that turn mono PCM of unknown length into a WAV stream."""
    sample_bytes = _SAMPLE_BYTES[pcm_format]
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        _UNKNOWN_LENGTH,
        b"WAVE",
        b"fmt ",
        16,
        _WAV_ENCODING[pcm_format],
        1,
        sample_rate,
        sample_rate * sample_bytes,
        sample_bytes,
        8 * sample_bytes,
        b"data",
        _UNKNOWN_LENGTH,
    )
