"""Weight files on this disk: checks that they are whole, and loads them without running code.

A published checkpoint is often a pickle, which could run any code. Pickles are read with
`weights_only=True`, so a file that holds more than tensors is an error.
"""

import functools
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import torch

from latentspeech.core.errors import CheckpointError

_LFS_POINTER = b"version https://git-lfs"


def load_tensors(path: Path) -> Any:
    """The content of a .safetensors file or a pickled checkpoint, on the CPU; it runs no code."""
    path = Path(path)
    check_whole(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path, device="cpu")
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise CheckpointError(
            f"{path} cannot be read as tensors ({error}); expected a whole checkpoint without "
            "code in it; get it again"
        ) from error


def load_strictly(module: torch.nn.Module, tensors: dict[str, Any], path: Path) -> None:
    """Loads a state dict; CheckpointError unless names and shapes are exactly the module's."""
    try:
        module.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not fit {type(module).__name__}: {first_lines(str(error))}; "
            "expected the published checkpoint; get it again"
        ) from error


def check_whole(path: Path) -> None:
    """Raises CheckpointError if a file is empty, truncated or a Git LFS pointer."""
    path = Path(path)
    size = path.stat().st_size
    if size == 0:
        raise CheckpointError(f"{path} is empty; get it again")
    with path.open("rb") as file:
        head = file.read(64)
    if head.startswith(_LFS_POINTER):
        raise CheckpointError(f"{path} is a Git LFS pointer, not the file; run: git lfs pull")
    if path.suffix == ".safetensors":
        expected = _safetensors_bytes(path, size)
        if expected != size:
            raise CheckpointError(
                f"{path} is truncated: {size} bytes, its header promises {expected}; get it again"
            )
    elif head.startswith(b"PK") and not zipfile.is_zipfile(path):
        raise CheckpointError(f"{path} is truncated: the end of its archive is gone; get it again")


def _safetensors_bytes(path: Path, size: int) -> int:
    """The size that the header promises; larger than the file if the header is truncated."""
    with path.open("rb") as file:
        header_bytes = int.from_bytes(file.read(8), "little")
        if header_bytes > size - 8:
            return 8 + header_bytes
        try:
            header = json.loads(file.read(header_bytes))
            ends = [item["data_offsets"][1] for key, item in header.items() if key[:2] != "__"]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CheckpointError(f"{path} is not a safetensors file; get it again") from error
    return 8 + header_bytes + max(ends, default=0)


def file_sha256(path: Path) -> str:
    """The digest of a file's content; the file is read again only if its size or date changes."""
    stat = path.stat()
    return _sha256(path, stat.st_size, stat.st_mtime_ns)


@functools.cache
def _sha256(path: Path, size: int, mtime_ns: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def first_lines(text: str) -> str:
    """An error's text on one line of at most 300 characters."""
    return " ".join(text.split())[:300]
