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
    from torch import Tensor

    from latentspeech.codec.model import Codec

app = typer.Typer(no_args_is_help=True, help="Encode, decode and stream audio.")

BLOCK_S = 10.0  # seconds of audio that are computed at once
SourceArgument = Annotated[Path, typer.Argument(help="wav, flac, ogg or mp3; any rate, channels.")]
TargetArgument = Annotated[Path, typer.Argument(help="File to write: .wav .flac .ogg .mp3.")]
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
    import torch

    from latentspeech.audio.io import load_audio
    from latentspeech.codec.latent_file import LatentFile, write_latents
    from latentspeech.codec.model_directory import codec_hash, find_codec, load_codec

    directory = find_codec(model)
    codec = load_codec(directory)
    rate = codec.config.sample_rate
    audio = load_audio(source, rate)
    latents = torch.cat(list(_encoded_blocks(codec, audio, quiet or as_json)))
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
    import torch

    from latentspeech.audio.io import write_audio
    from latentspeech.codec.latent_file import read_latents
    from latentspeech.codec.model_directory import codec_hash, find_codec, load_codec

    directory = find_codec(model)
    codec = load_codec(directory, decoder)
    file = read_latents(source, codec_hash(directory), codec.config.latent_dim)
    blocks = list(_decoded_blocks(codec, file.latents, quiet or as_json))
    audio = torch.cat(blocks)[: file.num_samples]
    write_audio(target, audio, codec.config.sample_rate, PROVENANCE)
    _report_audio(target, len(audio) / codec.config.sample_rate, as_json, quiet)


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
    import torch

    from latentspeech.audio.io import load_audio, write_audio
    from latentspeech.codec.model_directory import find_codec, load_codec

    codec = load_codec(find_codec(model), decoder)
    rate = codec.config.sample_rate
    audio = load_audio(source, rate)
    latents = torch.cat(list(_encoded_blocks(codec, audio, quiet or as_json)))
    copy = torch.cat(list(_decoded_blocks(codec, latents, quiet or as_json)))[: len(audio)]
    write_audio(target, copy, rate, PROVENANCE)
    _report_audio(target, len(audio) / rate, as_json, quiet)


def _report_audio(target: Path, duration_s: float, as_json: bool, quiet: bool) -> None:
    values = {"out": str(target), "duration_s": duration_s}
    report(values, f"{target}: {duration_s:.2f} s", as_json, quiet)


def _encoded_blocks(codec: "Codec", audio: "Tensor", quiet: bool) -> Iterator["Tensor"]:
    """Encodes audio (T,) block by block with the streaming encoder; yields pieces (F, D)."""
    import torch

    from latentspeech.codec.latent_file import check_encoded
    from latentspeech.core.command import open_ended_progress

    blocks = torch.split(audio, int(BLOCK_S * codec.config.sample_rate))
    state = codec.init_encode_state(1)
    with torch.inference_mode(), open_ended_progress("encoding", "s of audio", quiet) as advance:
        for i, block in enumerate(blocks):
            flush = i == len(blocks) - 1
            latents, state = codec.encode_step(block[None], state, flush)
            advance(len(block) / codec.config.sample_rate)
            yield check_encoded(latents[0], block)


def _decoded_blocks(codec: "Codec", latents: "Tensor", quiet: bool) -> Iterator["Tensor"]:
    """Decodes latents (F, D) block by block with the streaming decoder; yields pieces (T,)."""
    import torch

    from latentspeech.core.command import open_ended_progress

    state = codec.init_decode_state(1)
    with torch.inference_mode(), open_ended_progress("decoding", "s of audio", quiet) as advance:
        for block in torch.split(latents, max(1, int(BLOCK_S * codec.config.frame_rate))):
            audio, state = codec.decode_step(block[None], state)
            advance(len(block) / codec.config.frame_rate)
            yield audio[0]
