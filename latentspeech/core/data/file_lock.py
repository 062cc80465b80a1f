"""One process at a time: locks between processes of one machine or one shared file system."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from latentspeech.core.errors import InputError


@contextlib.contextmanager
def exclusive(path: Path, remedy: str) -> Iterator[None]:
    """Holds the lock file `path`, which the system frees if its holder dies.

    `remedy` ends the InputError that is raised where no file can be written.
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
