"""Which TTS model is meant, and a synthesizer of it.

None ships yet: train one with `make demo` or egs/mini/run.sh.
"""

from pathlib import Path

from latentspeech.core.errors import CheckpointError
from latentspeech.core.model_names import MODEL_VARIABLE, resolve_model
from latentspeech.tts.synthesizer import Synthesizer


def find_tts(name_or_path: str | Path | None = None) -> Path:
    """The model directory meant by a path, a name, or None for the one in LATENTSPEECH_MODEL."""
    directory = resolve_model(name_or_path)
    if directory is None:
        raise CheckpointError(
            f"no model given; use --model DIR or set {MODEL_VARIABLE} to a TTS model directory "
            "(`make demo` trains a small one)"
        )
    return directory


def load(name_or_path: str | Path | None = None, device: str = "cpu") -> Synthesizer:
    """Loads a model, ready to speak; without an argument that in LATENTSPEECH_MODEL."""
    return Synthesizer.from_directory(find_tts(name_or_path), device)
