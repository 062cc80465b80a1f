"""Which model is meant: a model directory by its path, one that ships by its name, or none.

Models that ship stand in `latentspeech/models/`, one folder a model, named as it is called. The
environment variable LATENTSPEECH_MODEL stands for whatever was not asked for.
"""

import os
from pathlib import Path

MODEL_VARIABLE = "LATENTSPEECH_MODEL"
MODELS_FOLDER = Path(__file__).parent / "models"


def builtin_models() -> dict[str, Path]:
    """Name to model directory of everything that ships, whatever its kind."""
    return {path.parent.name: path.parent for path in sorted(MODELS_FOLDER.glob("*/config.yaml"))}


def resolve_model(name_or_path: str | Path | None) -> Path | None:
    """The model directory that is asked for, by argument or variable; None if neither is given.

    A folder comes before a shipped model of the same name.
    """
    wanted = name_or_path or os.environ.get(MODEL_VARIABLE)
    if not wanted:
        return None
    if Path(wanted).is_dir():
        return Path(wanted)
    return builtin_models().get(str(wanted), Path(wanted))
