"""Encodes speech while it is spoken, in the formats of OpenAI's speech API.

pcm and wav hold 16-bit samples. PyAV (FFmpeg) encodes the others. Nothing is written twice, so the
bytes can be sent as they come; each format but pcm says in its metadata that it is synthetic
speech.

n samples.
"""

import struct
from typing import Any, Literal, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from latentspeech.audio.media_writer import import_av
from latentspeech.audio.pcm import encode_pcm, wav_stream_header

Format = Literal["mp3", "opus", "aac", "flac", "wav", "pcm"]

_PAGE_US = 100_000  # of Ogg; FFmpeg's own second would delay the first audio


class _Codec(NamedTuple):
    """How FFmpeg writes a format."""

    container: str
    codec: str
    bit_rate: int | None
    options: dict[str, str]


MEDIA_TYPES: dict[Format, str] = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
_CODECS = {
    "mp3": _Codec("mp3", "libmp3lame", 64_000, {"write_xing": "0"}),
    "opus": _Codec("ogg", "libopus", 32_000, {"page_duration": str(_PAGE_US)}),
    "aac": _Codec("adts", "aac", 64_000, {"write_id3v2": "1"}),
    "flac": _Codec("flac", "flac", None, {}),
}


class Encoder(Protocol):
    """Turns samples into the bytes of a file, piece by piece.

    The end of its block frees what FFmpeg holds for it, 7 MB in FLAC; without a block that waits
    for Python's garbage collector, since streams and containers refer to each other.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    def write(self, samples: NDArray[np.float32]) -> bytes:
        """The bytes that are ready with the next samples (n,)."""

    def close(self) -> bytes:
        """The bytes of the end."""


def make_encoder(audio_format: Format, sample_rate: int, comment: str) -> Encoder:
    """Makes an encoder of one channel; `comment` says where the audio comes from."""
    if audio_format == "pcm":
        return _PcmEncoder(b"")
    if audio_format == "wav":
        return _PcmEncoder(_wav_header(sample_rate, comment))
    return _MediaEncoder(_CODECS[audio_format], sample_rate, comment)


class _PcmEncoder:
    """Samples of 16 bits after a header."""

    def __init__(self, header: bytes) -> None:
        self._header = header

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def write(self, samples: NDArray[np.float32]) -> bytes:
        header, self._header = self._header, b""
        return header + encode_pcm(samples, "s16le")

    def close(self) -> bytes:
        return self._header


class _MediaEncoder:
    """A container of FFmpeg that writes into memory."""

    def __init__(self, codec: _Codec, sample_rate: int, comment: str) -> None:
        av = import_av()
        self._frame_type, self._rate, self._num_samples = av.AudioFrame, sample_rate, 0
        self._sink = _Sink()
        self._container: Any = av.open(
            self._sink, "w", format=codec.container, options=codec.options
        )
        self._container.metadata["comment"] = comment
        self._stream = self._container.add_stream(codec.codec, rate=sample_rate, layout="mono")
        if codec.bit_rate is not None:
            self._stream.bit_rate = codec.bit_rate

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._container.close()
        del self._container, self._stream

    def write(self, samples: NDArray[np.float32]) -> bytes:
        if not len(samples):
            return b""
        frame = self._frame_type.from_ndarray(samples[None], format="fltp", layout="mono")
        frame.sample_rate, frame.pts = self._rate, self._num_samples
        self._num_samples += len(samples)
        self._container.mux(self._stream.encode(frame))
        return self._sink.take()

    def close(self) -> bytes:
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._sink.take()


class _Sink:
    """A file that cannot seek, as a socket is."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> bytes:
        taken = bytes(self._bytes)
        self._bytes.clear()
        return taken


def _wav_header(sample_rate: int, comment: str) -> bytes:
    """The header of a stream of unknown length, with the comment before the samples."""
    header = wav_stream_header(sample_rate)
    text = comment.encode("ascii", "replace") + b"\0"
    text += b"\0" * (len(text) % 2)
    info = b"INFO" + b"ICMT" + struct.pack("<I", len(text)) + text
    before_samples = header[:-8]
    return before_samples + b"LIST" + struct.pack("<I", len(info)) + info + header[-8:]
