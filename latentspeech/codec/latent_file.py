"""Latents of one recording as a .safetensors file that states its codec and true length.

F frames, D latent dimension.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from latentspeech.audio.reading import AUDIO_SUFFIXES
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.storage.files import atomic_path

FORMAT = "latentspeech-latents-1"


@dataclass(frozen=True)
class LatentFile:
    """The contents of the file."""

    latents: NDArray[np.float32]  # (F, D) posterior means
    num_samples: int  # length of the recording, before zeros completed its last frame
    sample_rate: int
    codec_hash: str


def write_latents(path: Path, file: LatentFile) -> None:
    """Writes the file whole or not at all."""
    metadata = {
        "format": FORMAT,
        "num_samples": str(file.num_samples),
        "sample_rate": str(file.sample_rate),
        "codec_hash": file.codec_hash,
    }
    with atomic_path(path) as temporary:
        save_file({"latents": np.ascontiguousarray(file.latents)}, temporary, metadata)


def read_latents(path: Path, codec_hash: str, latent_dim: int) -> LatentFile:
    """Reads the file; refuses latents of another codec."""
    if not path.is_file():
        raise InputError(f"latents not found: {path}; `latentspeech codec encode` makes them")
    if path.suffix.lower() in AUDIO_SUFFIXES:
        raise InputError(
            f"{path} is a recording and holds no latents; `latentspeech codec encode {path} "
            f"{path.with_suffix('.safetensors')}` makes them"
        )
    try:
        with safe_open(path, "np") as stored:
            metadata = stored.metadata() or {}
            latents = stored.get_tensor("latents")
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"{path} is truncated or holds no latents ({error}); encode the recording again"
        ) from None
    if metadata.get("format") != FORMAT or latents.ndim != 2 or latents.shape[1] != latent_dim:
        raise InputError(
            f"{path} has format {metadata.get('format')!r} and shape {tuple(latents.shape)}; "
            f"expected {FORMAT!r} and (frames, {latent_dim}): encode the recording again"
        )
    if metadata["codec_hash"] != codec_hash:
        raise CheckpointError(
            f"{path} was made by codec {metadata['codec_hash']}, the given model has codec "
            f"{codec_hash}; use the model that encoded it (--model)"
        )
    if not np.isfinite(latents).all():
        raise InputError(f"{path} holds NaN or infinite latents; encode the recording again")
    num_samples, rate = int(metadata["num_samples"]), int(metadata["sample_rate"])
    return LatentFile(latents.astype(np.float32, copy=False), num_samples, rate, codec_hash)


def check_encoded(latents: NDArray[np.float32], audio: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the latents of `audio` (T,); InputError if too large samples made them infinite."""
    if not np.isfinite(latents).all():
        raise InputError(
            f"samples as large as {np.abs(audio).max():.3g} give no finite latents; expected "
            "audio within [-1, 1]; scale it, or check its format"
        )
    return latents
