"""Checkpoints: one folder a step, without pickle, written atomically, verified and hashed.

`step_00001000/` holds model.safetensors (the whole task), ema.safetensors (the averaged module, by
its own names), optimizer.safetensors (turn/parameter/quantity) and state.json.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from latentspeech.core.config import Config, parse_config
from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.storage.files import (
    atomic_directory,
    remove_directory,
    remove_leftovers,
)

logger = logging.getLogger(__name__)

Part = Literal["model", "ema", "optimizer"]
PARTS: tuple[Part, ...] = ("model", "ema", "optimizer")
STATE_NAME = "state.json"


class FileRecord(Config):
    """Size and hash of one file of a checkpoint."""

    size_bytes: int
    sha256: str


class RunState(Config):
    """The content of state.json. With the tensors it is all that a run needs to resume."""

    step: int = 0
    """Steps completed."""
    epoch: int = 0
    window: int = 0
    index: int = 0
    """Index of each process's next batch within the window of the epoch."""
    seconds: float = 0.0
    """Time spent in training, all resumes together."""
    world_size: int = 1
    schema_version: int = 1
    git_commit: str = ""
    config_hash: str = ""
    config: dict[str, Any] = Field(default_factory=dict)
    files: dict[str, FileRecord] = Field(default_factory=dict)


class Checkpoint(NamedTuple):
    """A folder that was found complete."""

    path: Path
    state: RunState


def save_checkpoint(
    folder: Path, state: RunState, tensors: Mapping[Part, Mapping[str, Tensor]], keep: int
) -> Path:
    """Writes `folder/step_XXXXXXXX` and then removes all but the last `keep` checkpoints."""
    folder.mkdir(exist_ok=True)
    path = folder / f"step_{state.step:08d}"
    with atomic_directory(path) as temporary:
        files = {}
        for part in PARTS:
            file = temporary / f"{part}.safetensors"
            _write_tensors(file, tensors[part])
            files[file.name] = _record(file)
        complete = state.model_copy(update={"files": files})
        text = json.dumps(complete.model_dump(mode="json"), indent=2)
        (temporary / STATE_NAME).write_text(text + "\n", encoding="utf-8")
    # Only older ones are removed. One with a later step must be damaged, since the run skipped it.
    older = [item for item in _folders(folder) if item.name <= path.name]
    for old in older[:-keep]:
        remove_directory(old)
    return path


def newest_checkpoint(exp_dir: Path) -> Checkpoint | None:
    """The newest complete checkpoint of a run, or None if the run has no checkpoint.

    Damaged ones are reported and skipped; if all are damaged, it raises CheckpointError.
    """
    folders = _folders(exp_dir / "checkpoints")
    for path in reversed(folders):
        try:
            return Checkpoint(path, read_state(path))
        except CheckpointError as error:
            logger.warning("%s; trying the checkpoint before it", error)
    if folders:
        raise CheckpointError(
            f"all {len(folders)} checkpoints in {exp_dir / 'checkpoints'} are damaged; "
            "restore one or remove that folder to start again"
        )
    return None


def read_state(path: Path) -> RunState:
    """Reads state.json and checks every file's size and hash; CheckpointError if one differs."""
    try:
        values = json.loads((path / STATE_NAME).read_text(encoding="utf-8"))
        state = parse_config(RunState, values, origin=str(path / STATE_NAME))
    except (OSError, json.JSONDecodeError, UnicodeDecodeError, ConfigError) as error:
        raise CheckpointError(f"checkpoint {path} is damaged: {error}") from None
    missing = {f"{part}.safetensors" for part in PARTS} - set(state.files)
    if missing:
        raise CheckpointError(f"checkpoint {path} is damaged: no record of {min(missing)}")
    for name, expected in state.files.items():
        file = path / name
        if not file.is_file():
            raise CheckpointError(f"checkpoint {path} is damaged: {name} is missing")
        if file.stat().st_size != expected.size_bytes or _record(file) != expected:
            raise CheckpointError(f"checkpoint {path} is damaged: {name} is not what was written")
    return state


def load_part(path: Path, part: Part) -> dict[str, Tensor]:
    """The tensors of one file of a checkpoint folder, on the CPU."""
    file = path / f"{part}.safetensors"
    if not file.is_file():
        raise CheckpointError(f"{file} does not exist; expected a checkpoint folder of a training")
    try:
        tensors: dict[str, Tensor] = load_file(file)
    except SafetensorError as error:
        raise CheckpointError(f"{file} is damaged: {error}") from None
    return tensors


def clean_checkpoints(exp_dir: Path) -> None:
    """Removes files that a killed process left half written."""
    remove_leftovers(exp_dir)
    remove_leftovers(exp_dir / "checkpoints")


def _folders(folder: Path) -> list[Path]:
    return sorted(item for item in folder.glob("step_*") if item.is_dir())


def _write_tensors(file: Path, tensors: Mapping[str, Tensor]) -> None:
    # Each is cloned, since the format refuses tensors that share storage, such as tied weights.
    own = {name: _own_copy(value) for name, value in tensors.items()}
    save_file(own, file)
    with safe_open(file, framework="pt") as written:
        good = set(written.keys()) == set(own)
        if not good or not all(_same(written.get_tensor(name), own[name]) for name in own):
            raise CheckpointError(f"{file} does not read as it was written; check the disk")


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal bit for bit, so that NaN equals itself."""
    if (one.dtype, one.shape) != (other.dtype, other.shape):
        return False
    return torch.equal(one.reshape(-1).view(torch.uint8), other.reshape(-1).view(torch.uint8))


def _own_copy(value: Tensor) -> Tensor:
    copy = value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    return copy.contiguous()


def _record(file: Path) -> FileRecord:
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    return FileRecord(size_bytes=file.stat().st_size, sha256=digest)
