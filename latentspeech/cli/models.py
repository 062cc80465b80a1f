"""`latentspeech models`: lists the names that --model takes, and describes model directories."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentspeech.cli.options import JsonOption

if TYPE_CHECKING:
    from latentspeech.codec.config import CodecConfig


def models(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or paths to describe; all built-in if none.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the built-in models, or describe model directories."""
    from latentspeech.core.command import show_models
    from latentspeech.model_names import builtin_models, resolve_model

    known = builtin_models()
    if names:
        known = {name: resolve_model(name) or Path(name) for name in names}
    none = "no model is installed; egs/mini/run.sh trains one; give its path to describe it"
    show_models(known, describe, _line, none, as_json)


def describe(path: Path) -> dict[str, Any]:
    """Kind, sizes and rates of a model directory; CheckpointError for another folder."""
    from latentspeech.codec.model_directory import KIND as CODEC
    from latentspeech.codec.model_directory import decoder_names, find_codec, read_codec_config
    from latentspeech.core.errors import CheckpointError
    from latentspeech.core.storage.model_directory import read_description
    from latentspeech.tts.model_directory import KIND as TTS

    kind, config = read_description(path)
    if kind == CODEC:
        rates = _rates(read_codec_config(path))
        return {"kind": kind, **rates, "decoders": decoder_names(path)}
    if kind == TTS:
        backbone = config["backbone"]
        sizes = {"layers": backbone["num_layers"], "model_dim": backbone["model_dim"]}
        return {"kind": kind, **sizes, **_rates(read_codec_config(find_codec(path)))}
    raise CheckpointError(f"{path} holds a model of kind {kind!r}; expected {CODEC!r} or {TTS!r}")


def _rates(config: "CodecConfig") -> dict[str, Any]:
    return {
        "sample_rate_hz": config.sample_rate,
        "frame_rate_hz": config.frame_rate,
        "latent_dim": config.latent_dim,
        "encoder": config.encoder.kind,
        "decoder": config.decoder.kind,
    }


def _line(row: dict[str, Any]) -> str:
    parts = [row["name"], row["kind"]]
    if "layers" in row:
        parts.append(f"{row['layers']} x {row['model_dim']}")
    parts.append(f"{row['sample_rate_hz']} Hz")
    parts.append(f"{row['frame_rate_hz']:g} x {row['latent_dim']} latents/s")
    if "decoders" in row:
        further = f", further decoders: {', '.join(row['decoders'])}" if row["decoders"] else ""
        parts.append(f"{row['encoder']} to {row['decoder']}{further}")
    return "  ".join(parts)
