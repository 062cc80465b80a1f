"""Decodes G.722, which has no header and is always 16 kHz mono; libsndfile does not know it."""

from pathlib import Path

import numpy as np

from egs.mini.local.sources.protocol import Waveform
from latentspeech.core.errors import DataError


def check_decoder(source: str) -> None:
    """DataError with the command that installs it where the decoder is missing."""
    try:
        import av  # noqa: F401
    except ImportError:
        raise DataError(
            "the package av, which decodes G.722, is missing; "
            f"run egs/mini/local/install_sources.sh {source}"
        ) from None


def read_g722(path: Path) -> Waveform:
    """All of a file."""
    import av

    try:
        with av.open(str(path), format="g722") as container:
            blocks = [frame.to_ndarray().ravel() for frame in container.decode(audio=0)]
    except (av.FFmpegError, OSError) as error:
        raise DataError(f"{path} cannot be read ({error})") from None
    if not blocks:
        raise DataError(f"{path} holds no audio; expected G.722")
    return Waveform(np.concatenate(blocks).astype(np.float32) / 32768.0, 16000)
