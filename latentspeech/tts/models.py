"""Finds a TTS model by name or path and loads a synthesizer of it."""

from pathlib import Path

from latentspeech.core.errors import CheckpointError
from latentspeech.model_names import MODEL_VARIABLE, builtin_models, resolve_model
from latentspeech.tts.model_directory import RuntimeKind
from latentspeech.tts.synthesizer import Synthesizer

DEFAULT_NAME = "tts"  # name of the model that ships


def find_tts(name_or_path: str | Path | None = None) -> Path:
    """Returns the model directory of a path or name.

    None means the directory in LATENTSPEECH_MODEL if it is set, else the model that ships.
    """
    directory = resolve_model(name_or_path) or builtin_models().get(DEFAULT_NAME)
    if directory is None:
        raise CheckpointError(
            "no model given, and none is installed with this package; use --model DIR or set "
            f"{MODEL_VARIABLE} to a TTS model directory (egs/mini/run.sh trains one)"
        )
    return directory


def load(
    name_or_path: str | Path | None = None, device: str = "cpu", runtime: RuntimeKind | None = None
) -> Synthesizer:
    """Loads a synthesizer; `find_tts` explains the name and `load_tts` the runtime."""
    return Synthesizer.from_directory(find_tts(name_or_path), device, runtime)
