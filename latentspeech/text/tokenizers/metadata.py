"""tokenizer.json: which kind of tokenizer a directory holds, and its settings."""

import json
from pathlib import Path
from typing import Any, TypeVar

from latentspeech.core.config import Config, parse_config
from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.storage.files import write_json

FILE_NAME = "tokenizer.json"
MetadataT = TypeVar("MetadataT", bound=Config)


def write_metadata(directory: Path, metadata: Config) -> None:
    """Writes tokenizer.json, making the directory where it is missing."""
    directory.mkdir(parents=True, exist_ok=True)
    write_json(directory / FILE_NAME, metadata.model_dump(mode="json"))


def read_values(directory: Path) -> dict[str, Any]:
    """The mapping in tokenizer.json; CheckpointError when there is none."""
    path = directory / FILE_NAME
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise CheckpointError(
            f"{path} not found; expected the directory of a saved tokenizer"
        ) from None
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise CheckpointError(f"{path} is damaged ({reason}); {_REMEDY}") from None
    if not isinstance(values, dict):
        raise CheckpointError(f"{path} holds a {type(values).__name__}, not a mapping; {_REMEDY}")
    return values


def read_metadata(directory: Path, cls: type[MetadataT]) -> MetadataT:
    """tokenizer.json as `cls`; CheckpointError when it does not fit."""
    try:
        return parse_config(cls, read_values(directory), origin=str(directory / FILE_NAME))
    except ConfigError as error:
        raise CheckpointError(f"{error}; {_REMEDY}") from None


_REMEDY = "copy the tokenizer again or train it anew"
