"""Finds the model directory for a path, for the name of a model that ships, or for neither.

Each model that ships is a folder of `latentspeech/models/`, and the folder's name is the model's.
The environment variable LATENTSPEECH_MODEL applies where no model is asked for.
"""

import os
from pathlib import Path

MODEL_VARIABLE = "LATENTSPEECH_MODEL"
MODELS_FOLDER = Path(__file__).parent / "models"


def builtin_models() -> dict[str, Path]:
    """The model directories of all models that ship, of any kind, by name."""
    return {path.parent.name: path.parent for path in sorted(MODELS_FOLDER.glob("*/config.yaml"))}


def resolve_model(name_or_path: str | Path | None) -> Path | None:
    """The model directory that is asked for, by argument or variable; None if neither is given.

    A folder takes precedence over a shipped model of the same name.
    """
    wanted = name_or_path or os.environ.get(MODEL_VARIABLE)
    if not wanted:
        return None
    if Path(wanted).is_dir():
        return Path(wanted)
    return builtin_models().get(str(wanted), Path(wanted))
