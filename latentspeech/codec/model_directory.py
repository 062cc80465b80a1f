"""The codec as a model directory: one encoder, its own decoder, and any further decoders.

    config.yaml, model.safetensors, README.md       encoder and decoder
    decoders/NAME/config.yaml, model.safetensors    another decoder of the same latents, alone

Latents belong to the encoder: the hash that ties them to it does not depend on the decoders.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from latentspeech.codec.config import CodecConfig, DecoderConfig, EncoderConfig
from latentspeech.core.config import parse_config
from latentspeech.core.errors import CheckpointError
from latentspeech.core.storage.model_directory import (
    content_hash,
    load_weights,
    read_arrays,
    read_description,
    read_model_config,
    write_model,
)
from latentspeech.model_names import MODEL_VARIABLE, builtin_models, resolve_model

if TYPE_CHECKING:
    from latentspeech.codec.model import Codec

KIND = "codec"
DECODER_KIND = "codec_decoder"
DEFAULT_NAME = "codec"  # name of the codec that ships


def save_codec(codec: "Codec", directory: Path, card: str) -> None:
    """Writes config.yaml, model.safetensors and README.md into an existing folder."""
    write_model(directory, KIND, codec.config, codec, card)


def save_decoder(codec: "Codec", directory: Path, name: str, card: str) -> None:
    """Puts the decoder of `codec` into the codec's model directory, as a further one."""
    path = directory / "decoders" / name
    path.mkdir(parents=True)
    write_model(path, DECODER_KIND, codec.config.decoder, codec.decoder, card)


def find_codec(name_or_path: str | Path | None = None) -> Path:
    """The codec's model directory for the path or name of a codec or of a TTS model.

    None means the directory in LATENTSPEECH_MODEL, or else the codec that ships. A TTS model
    without a codec of its own states the hash of the codec that ships.
    """
    shipped = builtin_models().get(DEFAULT_NAME)
    directory = resolve_model(name_or_path) or shipped
    if directory is None:
        raise CheckpointError(
            "no model given, and no codec is installed with this package; use --model DIR or set "
            f"{MODEL_VARIABLE} to a model directory (egs/mini/run.sh trains one)"
        )
    if (directory / "codec").is_dir():
        return directory / "codec"
    wanted = read_description(directory).config.get("codec_hash")
    if not wanted:
        return directory
    if shipped is None or codec_hash(shipped) != wanted:
        raise CheckpointError(
            f"{directory} has no codec/ and needs codec {wanted}, which is not the one that ships "
            "with this package; copy the codec's model directory to codec/ in it"
        )
    return shipped


def decoder_names(directory: Path) -> list[str]:
    """The names of the further decoders in the codec's model directory."""
    return sorted(path.parent.name for path in directory.glob("decoders/*/config.yaml"))


def read_codec_config(directory: Path, decoder: str | None = None) -> CodecConfig:
    """The codec's configuration, with the named further decoder in place of its own."""
    values = dict(read_model_config(directory, KIND))
    origin = directory
    if decoder is not None:
        origin = decoder_directory(directory, decoder)
        values["decoder"] = dict(read_model_config(origin, DECODER_KIND))
    return parse_config(CodecConfig, values, origin=str(origin / "config.yaml"))


def load_codec_module(directory: Path, decoder: str | None = None) -> "Codec":
    """The codec's torch module, in float32 and evaluation mode; `decoder` names a further one.

    Raises CheckpointError when the folder is wrong or has no such decoder.
    """
    from latentspeech.codec.model import Codec

    codec = Codec(read_codec_config(directory, decoder))
    if decoder is None:
        load_weights(directory, codec)
    else:
        load_weights(directory, codec.encoder, "encoder")
        load_weights(decoder_directory(directory, decoder), codec.decoder)
    return codec.eval()


def codec_hash(directory: Path) -> str:
    """16 hex digits of the SHA-256 of all that decides latents: encoder settings and weights.

    It is the same for every decoder; to tell whole codecs apart, use `decoding_hash`.
    """
    config = read_codec_config(directory)
    settings = {
        "sample_rate": config.sample_rate,
        "latent_dim": config.latent_dim,
        "lookahead_samples": config.lookahead_samples,
        "encoder": _side_settings(config.encoder),
    }
    if config.frames_per_latent > 1:
        settings["frames_per_latent"] = config.frames_per_latent
    return content_hash(settings, read_arrays(directory, "encoder"))


def decoding_hash(directory: Path, decoder: str | None = None) -> str:
    """16 hex digits of the SHA-256 of encoder and decoder, equal if copies of a recording are."""
    config = read_codec_config(directory, decoder)
    settings = {"codec_hash": codec_hash(directory), "decoder": _side_settings(config.decoder)}
    if decoder is None:
        return content_hash(settings, read_arrays(directory, "decoder"))
    return content_hash(settings, read_arrays(decoder_directory(directory, decoder)))


def _side_settings(config: EncoderConfig | DecoderConfig) -> dict[str, Any]:
    # Settings at their defaults are left out, so that a new one does not change old hashes.
    return {"kind": config.kind, **config.model_dump(mode="json", exclude_defaults=True)}


def decoder_directory(directory: Path, name: str) -> Path:
    """The folder of the further decoder `name`; CheckpointError if the model does not have it."""
    known = decoder_names(directory)
    if name not in known:
        further = f"it has {', '.join(known)}" if known else "it has none beside its own"
        raise CheckpointError(
            f"{directory} has no further decoder {name!r}; {further}: name one that is there, or "
            "none for the codec's own"
        )
    return directory / "decoders" / name
