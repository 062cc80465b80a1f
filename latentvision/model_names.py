"""The names of the image models that ship, folders of `latentvision/models/`.

The environment variable LATENTVISION_MODEL applies where no model is asked for.
"""

from pathlib import Path

from latentspeech.core.storage.model_names import resolve_name, shipped_models

MODEL_VARIABLE = "LATENTVISION_MODEL"
MODELS_FOLDER = Path(__file__).parent / "models"


def builtin_models() -> dict[str, Path]:
    """The model directories of all models that ship, of any kind, by name."""
    return shipped_models(MODELS_FOLDER)


def resolve_model(name_or_path: str | Path | None) -> Path | None:
    """The model directory that is asked for, by argument or variable; None if neither is given."""
    return resolve_name(name_or_path, MODEL_VARIABLE, MODELS_FOLDER)
