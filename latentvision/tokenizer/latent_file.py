"""Latents of one image as a .safetensors file that states its tokenizer.

N latents, D latent dimension.
"""

from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.storage.files import atomic_path
from latentvision.tokenizer.model import TokenizerConfig

FORMAT = "latentvision-latents-1"


def write_latents(path: Path, latents: Tensor, tokenizer_hash: str) -> None:
    """Writes latents (N, D); the file appears whole or not at all."""
    metadata = {"format": FORMAT, "tokenizer_hash": tokenizer_hash}
    with atomic_path(path) as temporary:
        save_file({"latents": latents.contiguous()}, temporary, metadata)


def read_latents(path: Path, tokenizer_hash: str, config: TokenizerConfig) -> Tensor:
    """Reads latents (N, D); refuses those of another tokenizer."""
    if not path.is_file():
        raise InputError(f"latents not found: {path}; `latentvision tokenizer encode` makes them")
    try:
        with safe_open(path, "pt") as stored:
            metadata = stored.metadata() or {}
            latents: Tensor = stored.get_tensor("latents")
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is truncated or holds no latents ({error}); encode the picture again"
        ) from None
    wanted = (config.num_latents, config.latent_dim)
    if metadata.get("format") != FORMAT:
        raise InputError(
            f"{path} has format {metadata.get('format')!r}; expected {FORMAT!r}: encode the "
            "picture again"
        )
    if metadata["tokenizer_hash"] != tokenizer_hash:
        raise CheckpointError(
            f"{path} was made by tokenizer {metadata['tokenizer_hash']}, the given model has "
            f"tokenizer {tokenizer_hash}; use the model that encoded it (--model)"
        )
    if latents.shape != wanted or not bool(torch.isfinite(latents).all()):
        raise InputError(
            f"{path} holds latents {tuple(latents.shape)}, or some that are not finite; expected "
            f"finite ones {wanted}: encode the picture again"
        )
    return latents.float()
