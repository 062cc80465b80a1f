"""Librosa, imported by one process at a time.

Its compiled functions are cached in two files each as the import meets them. Two processes that
fill the cache together can leave a pair that does not fit, and every process that reads it crashes
(numba issue 10128), so a lock stands around the first import of each process.
"""

import fcntl
import functools
import os
import tempfile
from pathlib import Path
from types import ModuleType


@functools.cache
def import_librosa() -> ModuleType:
    """The package, with what it compiles at import."""
    with (Path(tempfile.gettempdir()) / f"librosa-import-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # until the file is closed
        import librosa
        import librosa.core.pitch  # librosa alone loads it on first use
    package: ModuleType = librosa
    return package
