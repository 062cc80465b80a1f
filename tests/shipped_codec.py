"""The codec that ships, and what stands in for it where only its sizes matter."""

from pathlib import Path

import pytest
import torch

from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import DEFAULT_NAME, save_codec, save_decoder
from latentspeech.codec.presets import default_codec
from latentspeech.core.model_names import MODELS_FOLDER

SHIPPED = MODELS_FOLDER / DEFAULT_NAME

needs_shipped_codec = pytest.mark.skipif(
    not SHIPPED.exists(), reason=f"no codec in {SHIPPED}: it has not been exported yet"
)


def codec_of_default_size(folder: Path) -> Path:
    """The codec that ships; while there is none, one of its sizes with random weights."""
    if SHIPPED.exists():
        return SHIPPED
    path = folder / "codec"
    path.mkdir()
    torch.manual_seed(0)
    save_codec(Codec(default_codec()), path, "# random\n")
    save_decoder(Codec(default_codec("mirrored")), path, "mirrored", "# random\n")
    return path
