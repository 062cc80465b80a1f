"""A trained model as a folder: config.yaml, model.safetensors, README.md and other files it needs.

Nothing is pickled. Weights are stored in float16 by default; computation is in float32. A folder
that is incomplete, damaged or of another model raises a CheckpointError that says so.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import yaml
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from latentspeech.core.config import Config
from latentspeech.core.errors import CheckpointError
from latentspeech.core.forks import prepare_for_forks
from latentspeech.core.storage.files import atomic_path

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

SCHEMA_VERSION = 1
WEIGHTS_NAME = "model.safetensors"


class ModelDescription(NamedTuple):
    """The content of config.yaml."""

    kind: str
    config: dict[str, Any]


def write_model(
    directory: Path,
    kind: str,
    config: Config,
    module: "nn.Module",
    card: str,
    dtype: "torch.dtype | None" = None,
) -> None:
    """Writes config, weights (by default in float16) and model card into an existing folder.

    Buffers keep their dtype: means and standard deviations are few and must stay exact.
    """
    import torch
    from safetensors.torch import save_file

    dtype = dtype or torch.float16
    parameters = {name for name, _ in module.named_parameters()}
    weights = {
        name: (tensor.to(dtype) if name in parameters else tensor).detach().cpu().contiguous()
        for name, tensor in module.state_dict().items()
    }
    description = {"schema_version": SCHEMA_VERSION, "kind": kind}
    description["config"] = config.model_dump(mode="json")
    with atomic_path(directory / WEIGHTS_NAME) as path:
        save_file(weights, path)
    with atomic_path(directory / "README.md") as path:
        path.write_text(card, encoding="utf-8")
    with atomic_path(directory / "config.yaml") as path:
        path.write_text(yaml.safe_dump(description, sort_keys=False), encoding="utf-8")


def read_model_config(directory: Path, kind: str) -> Mapping[str, Any]:
    """The `config` mapping of a model directory of the given kind."""
    found = read_description(directory)
    if found.kind != kind:
        raise CheckpointError(
            f"{directory} holds a model of kind {found.kind!r}; expected {kind!r}"
        )
    return found.config


def read_description(directory: Path) -> ModelDescription:
    """Kind and configuration of a model directory."""
    path = directory / "config.yaml"
    if not directory.is_dir():
        raise CheckpointError(
            f"no model directory at {directory}; give a folder that holds config.yaml and "
            "model.safetensors"
        )
    if not path.is_file():
        raise CheckpointError(f"{directory} is not a model directory: config.yaml is missing")
    try:
        description = yaml.safe_load(path.read_text(encoding="utf-8"))
        kind, version = str(description["kind"]), description["schema_version"]
        config = dict(description["config"])
    except (yaml.YAMLError, UnicodeDecodeError, TypeError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged ({type(error).__name__}); copy the model directory again"
        ) from None
    if version != SCHEMA_VERSION:
        raise CheckpointError(
            f"{path} has schema version {version}; this version reads {SCHEMA_VERSION}"
        )
    return ModelDescription(kind, config)


def read_arrays(directory: Path, part: str = "") -> dict[str, NDArray[Any]]:
    """Returns the weights by name as they are stored; with `part`, that submodule's."""
    return dict(_stored(directory, part, "np"))


def read_weights(directory: Path, part: str = "") -> "dict[str, Tensor]":
    """Does what `read_arrays` does, in tensors of torch."""
    return dict(_stored(directory, part, "pt"))


class StoredArrays(Mapping[str, NDArray[Any]]):
    """The weights of a directory, or of a submodule, each read when it is asked for.

    A network that is built from them never has the whole file in memory.
    """

    def __init__(self, directory: Path, part: str = "") -> None:
        self._directory, self._start = directory, f"{part}." if part else ""
        with _opened(directory, "np") as stored:
            names = [name for name in stored.keys() if name.startswith(self._start)]  # noqa: SIM118
        self._names = dict.fromkeys(name.removeprefix(self._start) for name in names)

    def __getitem__(self, name: str) -> NDArray[Any]:
        if name not in self._names:
            raise KeyError(name)
        with _opened(self._directory, "np") as stored:
            array: NDArray[Any] = stored.get_tensor(self._start + name)
        return array

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def num_parameters(directory: Path) -> int:
    """The number of weights, by the header of their file."""
    with _opened(directory, "np") as stored:
        return sum(math.prod(stored.get_slice(name).get_shape()) for name in stored.keys())  # noqa: SIM118


def load_weights(directory: Path, module: "nn.Module", part: str = "") -> None:
    """Loads model.safetensors, or its `part`, into `module` and puts it into evaluation mode."""
    prepare_for_forks()
    weights = read_weights(directory, part)
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:300]
        path = directory / WEIGHTS_NAME
        raise CheckpointError(f"{path} does not fit its config.yaml: {reason}") from None
    module.eval()


def content_hash(settings: Mapping[str, Any], weights: Mapping[str, NDArray[Any]]) -> str:
    """16 hex digits of the SHA-256 of settings, and of weights with their names and types."""
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
    for name, array in sorted(weights.items()):
        digest.update(f"{name} torch.{array.dtype.name} {list(array.shape)}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def _stored(directory: Path, part: str, framework: str) -> Iterator[tuple[str, Any]]:
    """Yields the names within the part, and their arrays or tensors."""
    start = f"{part}." if part else ""
    with _opened(directory, framework) as stored:
        for name in stored.keys():  # noqa: SIM118
            if name.startswith(start):
                yield name.removeprefix(start), stored.get_tensor(name)


@contextmanager
def _opened(directory: Path, framework: str) -> Iterator[Any]:
    """The weights file; CheckpointError where it is missing or damaged."""
    path = directory / WEIGHTS_NAME
    if not path.is_file():
        raise CheckpointError(f"{directory} is not a complete model directory: {path.name} missing")
    try:
        with safe_open(path, framework) as stored:
            yield stored
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is truncated or not a safetensors file ({error}); copy it again"
        ) from None


def weights_hash(directory: Path) -> str:
    """The first 16 hex digits of the weights file's SHA-256, so they change when the file does."""
    path = directory / WEIGHTS_NAME
    if not path.is_file():
        raise CheckpointError(f"{directory} is not a complete model directory: {path.name} missing")
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
