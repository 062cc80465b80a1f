"""Read-only files of a corpus, from a folder of this machine or from object storage.

Files of a local path are read in place. Files of a URL of any protocol that fsspec knows (s3://,
gs://, http://, memory://, file://) are copied one by one into a local folder that all processes
share. A copy appears whole or not at all, its size is checked, and one process copies while the
others wait. Beyond `max_bytes` the copies that were used longest ago are removed.
"""

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.data.file_lock import exclusive
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.storage.files import TEMPORARY_PREFIX, atomic_path

logger = logging.getLogger(__name__)

Content = TypeVar("Content")

_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.5
_CHUNK_BYTES = 2**22
_REMEDY = "set data.cache.folder to a folder on a local disk"


class LocalCacheConfig(Config):
    """The folder for copies of remote files; it has no effect on files of this machine."""

    folder: Path | None = Field(
        None, description="null: latentspeech/shards in $XDG_CACHE_HOME or ~/.cache"
    )
    max_bytes: int = Field(64 * 2**30, ge=1, description="limit on the size of all copies")


class FileStore(Protocol):
    """The files of one folder, local or remote."""

    @property
    def local_folder(self) -> Path:
        """The folder on this machine that holds the files or their copies."""

    def where(self, name: str) -> str:
        """A file's full name, for messages."""

    def names(self) -> set[str]:
        """All files of the folder; empty if there is no such folder."""

    def read(self, name: str, reader: Callable[[Path], Content]) -> Content:
        """Returns `reader(path)` for a local file of that content; its errors are passed on."""


def open_store(location: str | Path, config: LocalCacheConfig | None = None) -> FileStore:
    """Opens a folder, given as a path or as a URL."""
    if "://" not in str(location):
        return LocalFolder(Path(location))
    return RemoteFolder(str(location), config or LocalCacheConfig())


class LocalFolder:
    """Files of this machine, which are read in place."""

    def __init__(self, folder: Path) -> None:
        self.local_folder = folder

    def __str__(self) -> str:
        return str(self.local_folder)

    def where(self, name: str) -> str:
        """A file's full name, for messages."""
        return str(self.local_folder / name)

    def names(self) -> set[str]:
        """All files of the folder; empty if there is no such folder."""
        try:
            return {item.name for item in os.scandir(self.local_folder)}
        except (FileNotFoundError, NotADirectoryError):
            return set()

    def read(self, name: str, reader: Callable[[Path], Content]) -> Content:
        """Returns `reader(path)` for the local file; its errors are passed on."""
        return reader(self.local_folder / name)


class RemoteFolder:
    """Files of a URL, copied when they are first read. The object can be pickled and forked."""

    def __init__(self, url: str, config: LocalCacheConfig) -> None:
        self._url = url.rstrip("/")
        root = config.folder or _default_cache()
        self._root = root
        self.local_folder = root / hashlib.sha256(self._url.encode()).hexdigest()[:16]
        self._max_bytes = config.max_bytes
        try:
            self.local_folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError(
                f"the cache folder {root} cannot be written ({error.strerror}); {_REMEDY}"
            ) from None

    def __str__(self) -> str:
        return self._url

    def where(self, name: str) -> str:
        """A file's full name, for messages."""
        return f"{self._url}/{name}"

    def names(self) -> set[str]:
        """All files of the folder; empty if there is no such folder."""
        return self._patiently(self._url, self._names)

    def read(self, name: str, reader: Callable[[Path], Content]) -> Content:
        """Returns `reader(path)` for a local copy.

        A copy that it cannot read is fetched once more, since the disk may have damaged it. Raises
        the reader's error if the remote file itself is bad, FileNotFoundError if there is no such
        file, and DataError if it cannot be fetched.
        """
        path = self.local_folder / name
        try:
            os.utime(path)  # the least recently used is removed first
            return reader(path)
        except FileNotFoundError:
            pass  # never fetched, or evicted
        except Exception as error:
            logger.warning("fetching %s again: %s", self.where(name), error)
            path.unlink(missing_ok=True)
        self._fetch(name, path)
        return reader(path)

    def _fetch(self, name: str, path: Path) -> None:
        with exclusive(self.local_folder / f"{name}.lock", _REMEDY):
            if path.exists():
                return  # another process was faster
            for leftover in self.local_folder.glob(f"{TEMPORARY_PREFIX}*-{name}"):
                leftover.unlink(missing_ok=True)  # of a killed process
            size = self._patiently(self.where(name), lambda url: self._copy(url, path))
            logger.debug("fetched %s, %d bytes", self.where(name), size)
        with exclusive(self._root / "evict.lock", _REMEDY):
            self._evict(keep=path)

    def _copy(self, url: str, path: Path) -> int:
        filesystem, remote = _filesystem(url)
        expected = filesystem.size(remote)
        with filesystem.open(remote, "rb") as source, atomic_path(path) as temporary:
            with temporary.open("wb") as target:
                while chunk := source.read(_CHUNK_BYTES):
                    target.write(chunk)
            size = temporary.stat().st_size
            # A web server may not know a size beforehand.
            if expected is not None and size != expected:
                raise OSError(f"{size} of {expected} bytes arrived")
        return size

    def _evict(self, keep: Path) -> None:
        found = []
        for path in self._root.glob("*/*"):
            with contextlib.suppress(OSError):
                if path.suffix != ".lock" and not path.name.startswith(TEMPORARY_PREFIX):
                    status = path.stat()
                    found.append((status.st_mtime, status.st_size, path))
        total = sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self._max_bytes:
                return
            if path != keep:  # a process that has it mapped can still read it
                path.unlink(missing_ok=True)
                total -= size

    def _names(self, url: str) -> set[str]:
        filesystem, remote = _filesystem(url)
        filesystem.invalidate_cache(remote)
        try:
            return {str(name).rsplit("/", 1)[-1] for name in filesystem.ls(remote, detail=False)}
        except FileNotFoundError:
            return set()

    def _patiently(self, url: str, action: Callable[[str], Content]) -> Content:
        """Tries again after growing pauses, because storage sometimes fails."""
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return action(url)
            except FileNotFoundError:
                raise
            except OSError as error:
                if attempt == _ATTEMPTS:
                    raise DataError(
                        f"{url} cannot be fetched after {_ATTEMPTS} attempts "
                        f"({type(error).__name__}: {error}); check the network, the access rights "
                        "and the space in data.cache.folder, then go on"
                    ) from None
                logger.warning("%s: %s; attempt %d of %d", url, error, attempt, _ATTEMPTS)
                time.sleep(_FIRST_PAUSE_S * 2 ** (attempt - 1))
        raise AssertionError("the last attempt returns or raises")


def _filesystem(url: str) -> tuple[Any, str]:
    """The file system of a URL, which only this process may use, and the path within it."""
    import fsspec

    try:
        filesystem, path = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ConfigError(
            f"{url} cannot be opened ({error}); expected a URL that fsspec knows: install the "
            "package of its protocol (s3fs for s3://, gcsfs for gs://)"
        ) from None
    return filesystem, str(path)


def _default_cache() -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return root / "latentspeech" / "shards"
