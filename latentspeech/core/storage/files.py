"""Writing files and folders so that they appear whole or not at all.

Everything is written under a temporary hidden name in the target's own folder, flushed to the disk
and then renamed. If anything goes wrong before that, the old content stays and the temporary file
is removed. Only SIGKILL and a power cut can leave one behind; `remove_leftovers` removes those.
"""

import contextlib
import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from latentspeech.core.errors import InputError

TEMPORARY_PREFIX = ".tmp-"

# The disk is full, the user's quota is used up, or the file exceeds the largest allowed size.
NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yields a temporary path with the same suffix, which replaces `path` if the block succeeds.

    Device files and pipes (`/dev/stdout`) are handed through as they are.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected the name of a file to write")
    if path.exists() and not path.is_file():
        yield path
        return
    path = path.resolve() if path.is_symlink() else path
    temporary = _temporary_name(path)
    try:
        temporary.touch()
        mode = temporary.stat().st_mode
        yield temporary
        temporary.chmod(mode)  # safetensors makes files that only their owner may read
        _flush(temporary)
        temporary.replace(path)
        _flush(path.parent)
    except Exception as error:
        _raise_if_disk_full(error, path)
        raise
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Yields a new empty folder, which replaces the folder `path` if the block succeeds.

    The files must be complete (closed) when the block ends.
    """
    path = Path(path)
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file; expected the name of a folder to write")
    temporary = _temporary_name(path)
    temporary.mkdir()
    try:
        yield temporary
        for item in temporary.rglob("*"):
            _flush(item)
        _flush(temporary)
        _replace_directory(temporary, path)
        _flush(path.parent)
    except Exception as error:
        _raise_if_disk_full(error, path)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON, atomically. NaN is refused because JSON has no NaN."""
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def remove_directory(path: Path) -> None:
    """Removes a folder; no reader ever sees a part of it, because it is renamed first."""
    hidden = _temporary_name(path)
    path.rename(hidden)
    shutil.rmtree(hidden, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Removes temporary files of killed processes; no other process may be writing to `folder`."""
    for item in folder.glob(TEMPORARY_PREFIX + "*"):
        if item.is_dir():
            shutil.rmtree(item, ignore_errors=True)
        else:
            item.unlink(missing_ok=True)


def check_target(path: Path, needed_bytes: int = 0, suffix: str = "") -> None:
    """Checks, before any work, that a file can be written to `path`.

    Args:
        path: the file to write; it is replaced if it exists.
        needed_bytes: about its size, to compare with the free space on the disk.
        suffix: the suffix that its name must have; empty: any.

    Raises:
        InputError: suffix, folder, rights or free space do not allow it.
    """
    if suffix and path.suffix.lower() != suffix:
        raise InputError(f"cannot write {path}: expected the suffix {suffix}; use it in the name")
    if path.is_dir():
        raise InputError(f"{path} is a folder; expected the name of a file to write")
    if path.exists() and not path.is_file():  # a pipe or device is written itself, not replaced
        if not os.access(path, os.W_OK):
            raise InputError(f"{path} is not writable; give another output path")
        return
    parent = path.resolve().parent
    _check_folder(parent)
    free = shutil.disk_usage(parent).free
    if needed_bytes > free:
        raise InputError(
            f"{path} would take about {_mib(needed_bytes)}, and the disk has {_mib(free)} free; "
            "free some or write elsewhere"
        )


def _mib(size: int) -> str:
    return f"{size / 2**20:,.1f} MiB"


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError(f"folder {folder} does not exist; create it or give another output path")
    if not os.access(folder, os.W_OK):
        raise InputError(f"folder {folder} is not writable; give another output path")


def _temporary_name(path: Path) -> Path:
    parent = path.parent
    _check_folder(parent)
    return parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(4)}-{path.name}"


def _replace_directory(new: Path, path: Path) -> None:
    # A rename cannot replace a folder with content, so the old one is renamed first.
    if not path.exists():
        new.rename(path)
        return
    old = _temporary_name(path)
    path.rename(old)
    try:
        new.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _flush(path: Path) -> None:
    flags = os.O_RDONLY
    if os.name == "nt":  # Windows opens no folders and flushes only what may be written
        if path.is_dir():
            return
        flags = os.O_RDWR
    descriptor = os.open(path, flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _raise_if_disk_full(error: Exception, path: Path) -> None:
    # Libraries that are not written in Python (safetensors) raise their own error type, and shutil
    # one for many files, with the error number in the text.
    full = isinstance(error, OSError) and error.errno in NO_SPACE
    marks = (mark for n in NO_SPACE for mark in (f"os error {n})", f"[Errno {n}]"))
    if full or any(mark in str(error) for mark in marks):
        raise InputError(f"no space left on the disk for {path}; free some or write elsewhere")
