"""A folder of test results, which a rerun uses only if the same model and settings made them."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import write_json

KEY_NAME = "made_with.json"


def open_result_folder(folder: Path, key: Mapping[str, Any]) -> None:
    """Makes the folder; empties it if another key made what is in it."""
    path = folder / KEY_NAME
    if path.is_file() and json.loads(path.read_text(encoding="utf-8")) != dict(key):
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, dict(key))


def claim_result_folder(folder: Path, key: Mapping[str, Any]) -> None:
    """Makes the folder; DataError if another key made what is in it (which took long to make)."""
    path = folder / KEY_NAME
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        other = [name for name in {**found, **key} if found.get(name) != key.get(name)]
        if other:
            raise DataError(
                f"{folder} holds results of another {', '.join(other)}; give another --out or "
                "remove it"
            )
    folder.mkdir(parents=True, exist_ok=True)
    write_json(path, dict(key))


def audio_path(folder: Path, kind: str, utterance_id: str) -> Path:
    """The path of an utterance's audio; ids with slashes make folders."""
    path = folder / kind / f"{utterance_id}.wav"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
