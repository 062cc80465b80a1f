"""Finds a generator by name or path and loads a painter of it."""

from pathlib import Path

from latentspeech.core.errors import CheckpointError
from latentvision.generation.painter import Painter
from latentvision.model_names import MODEL_VARIABLE, builtin_models, resolve_model

DEFAULT_NAME = "generator"  # name of the model that ships


def find_generator(name_or_path: str | Path | None = None) -> Path:
    """The model directory of a path or name.

    None means the directory in LATENTVISION_MODEL if it is set, else the model that ships.

    Raises:
        CheckpointError: nothing was asked for, and no model is installed.
    """
    directory = resolve_model(name_or_path) or builtin_models().get(DEFAULT_NAME)
    if directory is None:
        raise CheckpointError(
            "no model given, and none is installed with this package; use --model DIR or set "
            f"{MODEL_VARIABLE} to the model directory of a generator"
        )
    return directory


def load(name_or_path: str | Path | None = None, device: str = "cpu") -> Painter:
    """Loads a painter; `find_generator` explains the name."""
    return Painter.from_directory(find_generator(name_or_path), device)
