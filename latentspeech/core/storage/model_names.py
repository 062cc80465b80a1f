"""Finds the model directory for a path, for the name of a model that ships, or for neither.

Each model that ships is a folder of its modality's package, and the folder's name is the model's.
An environment variable applies where no model is asked for.
"""

import os
from pathlib import Path


def shipped_models(folder: Path) -> dict[str, Path]:
    """The model directories within `folder`, of any kind, by name."""
    return {path.parent.name: path.parent for path in sorted(folder.glob("*/config.yaml"))}


def resolve_name(name_or_path: str | Path | None, variable: str, folder: Path) -> Path | None:
    """The model directory that is asked for, by argument or variable; None if neither is given.

    A folder takes precedence over a shipped model of the same name.
    """
    wanted = name_or_path or os.environ.get(variable)
    if not wanted:
        return None
    if Path(wanted).is_dir():
        return Path(wanted)
    return shipped_models(folder).get(str(wanted), Path(wanted))
