"""Finds a generator by name or path and loads a painter of it.

Each model that ships is a folder of `latentvision/models/`, and the folder's name is the model's.
The environment variable LATENTVISION_MODEL applies where no model is asked for.
"""

import os
from pathlib import Path

from latentspeech.core.errors import CheckpointError
from latentvision.generation.painter import Painter

MODEL_VARIABLE = "LATENTVISION_MODEL"
DEFAULT_NAME = "generator"  # name of the model that ships
MODELS_FOLDER = Path(__file__).parents[1] / "models"


def find_generator(name_or_path: str | Path | None = None) -> Path:
    """The model directory of a path or name; a folder takes precedence over a shipped model.

    None means the directory in LATENTVISION_MODEL if it is set, else the model that ships.

    Raises:
        CheckpointError: nothing was asked for, and no model is installed.
    """
    wanted = name_or_path or os.environ.get(MODEL_VARIABLE)
    if wanted and Path(wanted).is_dir():
        return Path(wanted)
    shipped = MODELS_FOLDER / str(wanted or DEFAULT_NAME)
    if (shipped / "config.yaml").is_file():
        return shipped
    if wanted:
        return Path(wanted)
    raise CheckpointError(
        "no model given, and none is installed with this package; use --model DIR or set "
        f"{MODEL_VARIABLE} to the model directory of a generator"
    )


def load(name_or_path: str | Path | None = None, device: str = "cpu") -> Painter:
    """Loads a painter; `find_generator` explains the name."""
    return Painter.from_directory(find_generator(name_or_path), device)
