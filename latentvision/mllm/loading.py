"""Finds a model of pages by name or path and loads it."""

from pathlib import Path

from latentspeech.core.errors import CheckpointError
from latentvision.mllm.page_writer import PageWriter
from latentvision.model_names import MODEL_VARIABLE, builtin_models, resolve_model

DEFAULT_NAME = "pages"  # name of the model that ships, if one does


def find_page_model(name_or_path: str | Path | None = None) -> Path:
    """The model directory of a path or name.

    None means the directory in LATENTVISION_MODEL if it is set, else the model that ships.

    Raises:
        CheckpointError: nothing was asked for, and no model is installed.
    """
    directory = resolve_model(name_or_path) or builtin_models().get(DEFAULT_NAME)
    if directory is None:
        raise CheckpointError(
            "no model given, and no model of text and pictures is installed with this package; use "
            f"--model DIR or set {MODEL_VARIABLE} to the model directory of one"
        )
    return directory


def load_multimodal(name_or_path: str | Path | None = None, device: str = "cpu") -> PageWriter:
    """Loads a model of text and pictures; `find_page_model` explains the name."""
    return PageWriter.from_directory(find_page_model(name_or_path), device)
