"""Which model is meant: a model directory by its path, one that ships by its name, or the default.

The default is the model directory in the environment variable LATENTSPEECH_MODEL. Models that ship
stand in `latentspeech/models/`; none does yet, so train one: `make demo` or egs/mini/run.sh.
"""

import os
from pathlib import Path

import latentspeech
from latentspeech.core.errors import CheckpointError
from latentspeech.tts.synthesizer import Synthesizer

MODEL_VARIABLE = "LATENTSPEECH_MODEL"


def builtin_models() -> dict[str, Path]:
    """Name to model directory of everything that ships with this installation."""
    folder = Path(latentspeech.__file__).parent / "models"
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/config.yaml"))}


def resolve_model(name_or_path: str | Path | None) -> Path:
    """The model directory meant by a path, a name, or None for the default."""
    wanted = name_or_path or os.environ.get(MODEL_VARIABLE)
    if not wanted:
        raise CheckpointError(
            f"no model given; use --model DIR or set {MODEL_VARIABLE} to a model directory "
            "(`make demo` trains a small one)"
        )
    known = builtin_models()
    if Path(wanted).is_dir() or str(wanted) not in known:
        return Path(wanted)
    return known[str(wanted)]


def load(name_or_path: str | Path | None = None, device: str = "cpu") -> Synthesizer:
    """Loads a model, ready to speak; without an argument the default one."""
    return Synthesizer.from_directory(resolve_model(name_or_path), device)
