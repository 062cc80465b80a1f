"""Models by name: those that ship inside the package, and any model directory by its path."""

from pathlib import Path

import latentspeech
from latentspeech.core.errors import CheckpointError
from latentspeech.tts.synthesizer import Synthesizer

DEFAULT_MODEL = "mini"


def models_directory() -> Path:
    """The folder of the package that holds the built-in models, one folder each."""
    return Path(latentspeech.__file__).parent / "models"


def builtin_models() -> dict[str, Path]:
    """Name to model directory of everything that ships with this installation."""
    return {path.parent.name: path.parent for path in models_directory().glob("*/config.yaml")}


def resolve_model(name_or_path: str | Path) -> Path:
    """The model directory meant by a built-in name or a path."""
    path = Path(name_or_path)
    if path.is_dir():
        return path
    known = builtin_models()
    if str(name_or_path) in known:
        return known[str(name_or_path)]
    raise CheckpointError(
        f"no model directory and no built-in model is called {str(name_or_path)!r}; "
        f"built in: {', '.join(sorted(known)) or 'none'}; or give the path of a model directory"
    )


def load(name_or_path: str | Path = DEFAULT_MODEL, device: str = "cpu") -> Synthesizer:
    """Loads a built-in model or a model directory, ready to speak."""
    return Synthesizer.from_directory(resolve_model(name_or_path), device)
