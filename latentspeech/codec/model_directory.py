"""The codec as a model directory, and the hash that ties latents to the codec that made them."""

import hashlib
from pathlib import Path

from latentspeech.codec.model import Codec, CodecConfig
from latentspeech.core.config import parse_config
from latentspeech.core.model_directory import load_weights, read_model_config, write_model

KIND = "codec"


def save_codec(codec: Codec, directory: Path, card: str) -> None:
    """Writes config.yaml, model.safetensors and README.md into an existing folder."""
    write_model(directory, KIND, codec.config, codec, card)


def load_codec(directory: Path) -> Codec:
    """The codec in float32 and evaluation mode; CheckpointError when the folder is wrong."""
    values = read_model_config(directory, KIND)
    codec = Codec(parse_config(CodecConfig, values, origin=str(directory / "config.yaml")))
    load_weights(directory, codec)
    return codec


def codec_hash(directory: Path) -> str:
    """The first 16 hex digits of the SHA-256 of the codec's weights file."""
    with (directory / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
