"""The tokenizer as a model directory: config.yaml, model.safetensors and README.md.

Latents belong to the encoder: the hash that ties them to it does not depend on the decoder.
"""

from pathlib import Path

from latentspeech.core.config import parse_config
from latentspeech.core.errors import CheckpointError
from latentspeech.core.storage.model_directory import (
    content_hash,
    load_weights,
    read_arrays,
    read_model_config,
    write_model,
)
from latentvision.model_names import MODEL_VARIABLE, builtin_models, resolve_model
from latentvision.tokenizer.model import Tokenizer, TokenizerConfig

KIND = "image_tokenizer"


def save_tokenizer(tokenizer: Tokenizer, directory: Path, card: str) -> None:
    """Writes config.yaml, model.safetensors and README.md into an existing folder."""
    write_model(directory, KIND, tokenizer.config, tokenizer, card)


def read_tokenizer_config(directory: Path) -> TokenizerConfig:
    """The tokenizer's configuration; CheckpointError if the folder holds something else."""
    values = read_model_config(directory, KIND)
    return parse_config(TokenizerConfig, values, origin=str(directory / "config.yaml"))


def load_tokenizer(directory: Path) -> Tokenizer:
    """The tokenizer in float32 and evaluation mode; CheckpointError if the folder is wrong."""
    tokenizer = Tokenizer(read_tokenizer_config(directory))
    load_weights(directory, tokenizer)
    return tokenizer.float().eval()


def tokenizer_hash(directory: Path) -> str:
    """16 hex digits of the SHA-256 of all that decides latents: encoder, posterior, sizes."""
    config = read_tokenizer_config(directory).model_dump(mode="json")
    del config["decoder"]
    weights = {
        f"{part}.{name}": array
        for part in ("encoder", "posterior")
        for name, array in read_arrays(directory, part).items()
    }
    return content_hash(config, weights)


def find_tokenizer(name_or_path: str | Path | None = None) -> Path:
    """The tokenizer's model directory for the path or name of a tokenizer or of a generator.

    A generator's directory has its tokenizer in tokenizer/. None means LATENTVISION_MODEL.
    """
    directory = resolve_model(name_or_path)
    if directory is None:
        known = ", ".join(builtin_models()) or "none ships"
        raise CheckpointError(
            f"no model given; use --model with a model directory or a name ({known}), or set "
            f"{MODEL_VARIABLE}"
        )
    inside = directory / "tokenizer"
    return inside if inside.is_dir() else directory
