"""A file that an encoder writes to, which remembers the first error of the disk.

libsndfile and FFmpeg call back into Python to write and lose the exceptions that are raised there.
So the sink tells them that everything was written, and keeps the error for the caller to look at.
When the disk is full, a reserve that was allocated at the start is given back, so that there is
room to finish the file.
"""

import errno
import io
import os
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

_FULL = (errno.ENOSPC, errno.EDQUOT)


class Sink(io.RawIOBase):
    """Writes to `path` without buffers; `reserve_bytes` of its disk are held back."""

    def __init__(self, path: Path, reserve_bytes: int) -> None:
        super().__init__()
        self._file = path.open("w+b", buffering=0)
        self._reserve = _allocate(path.parent, reserve_bytes)
        self.error: BaseException | None = None  # the first
        self.is_cut = False  # whether bytes could not be written

    def write(self, data: Any) -> int:
        """Writes all of `data`, or remembers why that was not possible."""
        whole = memoryview(data).cast("B")
        start = self._file.tell()
        while (done := self._file.tell() - start) < len(whole):
            try:
                self._write_some(whole[done:])
            except OSError as error:
                self.error, self.is_cut = self.error or error, True
                break
            except BaseException as error:  # Ctrl-C: what was begun is written first
                self.error = self.error or error
        return len(whole)

    def read(self, size: int = -1) -> bytes:
        """Reads up to `size` bytes."""
        return self._file.read(size)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Moves to a place in the file and returns it."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Returns the place in the file."""
        return self._file.tell()

    def readable(self) -> bool:
        """Returns True."""
        return True

    def writable(self) -> bool:
        """Returns True."""
        return True

    def seekable(self) -> bool:
        """Returns True."""
        return True

    def close(self) -> None:
        """Closes the file and gives the reserve back."""
        if not self.closed:
            self._file.close()
            self._release()
        super().close()

    def _write_some(self, data: memoryview) -> None:
        try:
            self._file.write(data)
        except OSError as error:
            if self._reserve is None or error.errno not in _FULL:
                raise
            self.error = error
            self._release()
            self._file.write(data)

    def _release(self) -> None:
        if self._reserve is not None:
            self._reserve.close()
            self._reserve = None


def _allocate(folder: Path, size: int) -> BinaryIO | None:
    """Returns a nameless file of `size` bytes; None where a file system cannot allocate them."""
    if not hasattr(os, "posix_fallocate"):
        return None
    reserve = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115  the sink closes it
    try:
        os.posix_fallocate(reserve.fileno(), 0, size)
    except OSError:
        reserve.close()
        return None
    return reserve
