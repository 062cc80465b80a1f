"""Locks that let one process at a time work, on one machine or one shared file system."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from latentspeech.core.errors import InputError


@contextlib.contextmanager
def exclusive(path: Path, remedy: str) -> Iterator[None]:
    """Holds the lock file `path`, which the system frees if its holder dies.

    If the file cannot be written, it raises an InputError whose message ends with `remedy`.
    """
    lock = FileLock(path)
    try:
        lock.acquire()
    except OSError as error:
        raise InputError(f"cannot write {path} ({error.strerror}); {remedy}") from None
    try:
        yield
    finally:
        lock.release()
