"""`latentspeech codec`: turns files into latents and back, block by block through the network."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentspeech import __version__
from latentspeech.cli.options import (
    CodecOption,
    DecoderOption,
    JsonOption,
    QuietOption,
)
from latentspeech.core.command import report

if TYPE_CHECKING:
    from latentspeech.codec.runtime import CodecRuntime, Floats

app = typer.Typer(no_args_is_help=True, help="Encode, decode and stream audio.")

BLOCK_S = 10.0  # seconds of audio that are computed at once
SourceArgument = Annotated[Path, typer.Argument(help="wav, flac, ogg, mp3, m4a, ...; any rate.")]
TargetArgument = Annotated[
    Path, typer.Argument(help="File to write: .wav .flac .ogg .opus .mp3 .m4a.")
]
PROVENANCE = f"decoded by the codec of latentspeech {__version__}"
LatentsArgument = Annotated[Path, typer.Argument(help="Latents, .safetensors.")]


@app.command("encode")
def encode(
    source: SourceArgument,
    target: LatentsArgument,
    model: CodecOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a recording into latents."""
    import numpy as np

    from latentspeech.audio.io import read_audio
    from latentspeech.codec.latent_file import LatentFile, write_latents
    from latentspeech.codec.model_directory import codec_hash, find_codec
    from latentspeech.codec.runtime import load_codec
    from latentspeech.core.storage.files import check_target

    check_target(target, suffix=".safetensors")
    directory = find_codec(model)
    codec = load_codec(directory)
    rate = codec.config.sample_rate
    audio = read_audio(source, rate)
    num_numbers = len(audio) / rate * codec.config.frame_rate * codec.config.latent_dim
    check_target(target, round(num_numbers) * np.dtype(np.float32).itemsize)
    latents = np.concatenate(list(_encoded_blocks(codec, audio, quiet or as_json)))
    write_latents(target, LatentFile(latents, len(audio), rate, codec_hash(directory)))
    values = {
        "out": str(target),
        "frames": len(latents),
        "latent_dim": codec.config.latent_dim,
        "frame_rate_hz": codec.config.frame_rate,
        "duration_s": len(audio) / rate,
    }
    report(values, f"{target}: {len(latents)} latents", as_json, quiet)


@app.command("decode")
def decode(
    source: LatentsArgument,
    target: TargetArgument,
    model: CodecOption = None,
    decoder: DecoderOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn latents back into audio."""
    from latentspeech.audio.writer import check_writable
    from latentspeech.codec.latent_file import read_latents
    from latentspeech.codec.model_directory import codec_hash, find_codec
    from latentspeech.codec.runtime import load_codec

    check_writable(target)
    directory = find_codec(model)
    codec = load_codec(directory, decoder)
    file = read_latents(source, codec_hash(directory), codec.config.latent_dim)
    _write_decoded(codec, file.latents, file.num_samples, target, as_json, quiet)


@app.command("reconstruct")
def reconstruct(
    source: SourceArgument,
    target: TargetArgument,
    model: CodecOption = None,
    decoder: DecoderOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Encode and decode a recording, to hear what the codec makes of it."""
    import numpy as np

    from latentspeech.audio.io import read_audio
    from latentspeech.audio.writer import check_writable
    from latentspeech.codec.model_directory import find_codec
    from latentspeech.codec.runtime import load_codec

    check_writable(target)
    codec = load_codec(find_codec(model), decoder)
    rate = codec.config.sample_rate
    audio = read_audio(source, rate)
    latents = np.concatenate(list(_encoded_blocks(codec, audio, quiet or as_json)))
    _write_decoded(codec, latents, len(audio), target, as_json, quiet)


def _write_decoded(
    codec: "CodecRuntime",
    latents: "Floats",
    num_samples: int,
    target: Path,
    as_json: bool,
    quiet: bool,
) -> None:
    """Writes `num_samples` samples decoded from latents (F, D) block by block, and reports them."""
    from latentspeech.audio.writer import AudioWriter, check_writable

    rate = codec.config.sample_rate
    duration_s = num_samples / rate
    check_writable(target, rate, duration_s)
    with AudioWriter(target, rate, PROVENANCE) as writer:
        for block in _decoded_blocks(codec, latents, quiet or as_json):
            writer.write(block[: num_samples - writer.num_samples])
    values = {"out": str(target), "duration_s": duration_s}
    report(values, f"{target}: {duration_s:.2f} s", as_json, quiet)


def _encoded_blocks(codec: "CodecRuntime", audio: "Floats", quiet: bool) -> Iterator["Floats"]:
    """Encodes audio (T,) block by block with the streaming encoder; yields pieces (F, D)."""
    from latentspeech.codec.latent_file import check_encoded
    from latentspeech.core.command import open_ended_progress

    size = int(BLOCK_S * codec.config.sample_rate)
    blocks = [audio[start : start + size] for start in range(0, len(audio), size)]
    state = codec.init_encode_state(1)
    with open_ended_progress("encoding", "s of audio", quiet) as advance:
        for i, block in enumerate(blocks):
            flush = i == len(blocks) - 1
            latents, state = codec.encode_step(block[None], state, flush)
            advance(len(block) / codec.config.sample_rate)
            yield check_encoded(latents[0], block)


def _decoded_blocks(codec: "CodecRuntime", latents: "Floats", quiet: bool) -> Iterator["Floats"]:
    """Decodes latents (F, D) block by block with the streaming decoder; yields pieces (T,)."""
    from latentspeech.core.command import open_ended_progress

    size = max(1, int(BLOCK_S * codec.config.frame_rate))
    state = codec.init_decode_state(1)
    with open_ended_progress("decoding", "s of audio", quiet) as advance:
        for block in (latents[start : start + size] for start in range(0, len(latents), size)):
            audio, state = codec.decode_step(block[None], state)
            advance(len(block) / codec.config.frame_rate)
            yield audio[0]
