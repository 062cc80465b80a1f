"""`latentspeech codec stream`: raw PCM and latent frames between stdin and stdout, frame by frame.

A latent frame on a pipe is `latent_dim` little-endian float32 values. Every frame is flushed as
soon as its samples have come, so the latency is one frame; the end of stdin flushes the last,
zero-padded one.
"""

import os
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from latentspeech.cli.options import CodecOption, DecoderOption

if TYPE_CHECKING:
    from latentspeech.codec.runtime import CodecRuntime, Floats

app = typer.Typer(no_args_is_help=True, help="Stream between stdin and stdout, mono.")

READ_BYTES = 1 << 16
FormatOption = Annotated[
    Literal["float32", "s16le"], typer.Option("--format", help="Format of PCM on the pipe.")
]


@app.command("encode")
def encode(model: CodecOption = None, pcm_format: FormatOption = "s16le") -> None:
    """Turn PCM on stdin into latent frames on stdout."""
    codec = _load(model)
    for latents in _encode(codec, _read_pcm(pcm_format)):
        _write(latents.astype("<f4").tobytes())


@app.command("decode")
def decode(
    model: CodecOption = None, decoder: DecoderOption = None, pcm_format: FormatOption = "s16le"
) -> None:
    """Turn latent frames on stdin into PCM on stdout."""
    codec = _load(model, decoder)
    _write_pcm(codec, _read_latents(codec.config.latent_dim), pcm_format)


@app.command("roundtrip")
def roundtrip(
    model: CodecOption = None, decoder: DecoderOption = None, pcm_format: FormatOption = "s16le"
) -> None:
    """Turn PCM on stdin into its reconstruction on stdout."""
    codec = _load(model, decoder)
    _write_pcm(codec, _encode(codec, _read_pcm(pcm_format)), pcm_format)


def _load(model: str | None, decoder: str | None = None) -> "CodecRuntime":
    from latentspeech.codec.model_directory import find_codec
    from latentspeech.codec.runtime import load_codec

    return load_codec(find_codec(model), decoder)


def _chunks() -> Iterator[bytes]:
    """Yields the bytes that stdin has at the moment, not waiting for a full buffer, to its end."""
    while chunk := os.read(sys.stdin.fileno(), READ_BYTES):
        yield chunk


def _read_pcm(pcm_format: Literal["float32", "s16le"]) -> Iterator["Floats"]:
    """Yields samples (n,) as they come."""
    from latentspeech.audio.pcm import decode_pcm
    from latentspeech.core.errors import InputError

    rest = b""
    for chunk in _chunks():
        samples, rest = decode_pcm(rest + chunk, pcm_format)
        yield samples
    if rest:
        raise InputError(f"stdin ended inside a sample ({len(rest)} bytes over); wrong --format?")


def _read_latents(latent_dim: int) -> Iterator["Floats"]:
    """Yields latent frames (f, D) as they come."""
    from latentspeech.audio.pcm import decode_pcm
    from latentspeech.core.errors import InputError

    rest = b""
    for chunk in _chunks():
        data = rest + chunk
        whole = len(data) // (4 * latent_dim) * 4 * latent_dim
        values, _ = decode_pcm(data[:whole], "float32")
        rest = data[whole:]
        if whole:
            yield values.reshape(-1, latent_dim)
    if rest:
        raise InputError(
            f"stdin ended inside a latent frame ({len(rest)} of {4 * latent_dim} bytes); "
            "were the frames made by this codec?"
        )


def _encode(codec: "CodecRuntime", pieces: Iterator["Floats"]) -> Iterator["Floats"]:
    """Turns samples into latent frames (f, D), f at least 1."""
    import numpy as np

    from latentspeech.codec.latent_file import check_encoded

    state = codec.init_encode_state(1)
    for samples in pieces:
        latents, state = codec.encode_step(samples[None], state)
        if latents.shape[1]:
            yield check_encoded(latents[0], samples)
    latents, state = codec.encode_step(np.zeros((1, 0), dtype=np.float32), state, flush=True)
    if latents.shape[1]:
        yield latents[0]


def _write_pcm(
    codec: "CodecRuntime",
    frames: Iterator["Floats"],
    pcm_format: Literal["float32", "s16le"],
) -> None:
    """Decodes latents and writes their PCM, frame by frame."""
    from latentspeech.audio.pcm import encode_pcm

    state = codec.init_decode_state(1)
    for latents in frames:
        for frame in latents[:, None]:  # (1, D)
            audio, state = codec.decode_step(frame[None], state)
            _write(encode_pcm(audio[0], pcm_format))


def _write(data: bytes) -> None:
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
