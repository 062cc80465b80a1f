"""Imports librosa in one process at a time.

The import compiles functions with numba and caches each of them in two files. Two processes that
fill the cache at once can leave two files that do not fit together, and every process that reads
them crashes (numba issue 10128). So the first import of each process holds a lock.
"""

import functools
import os
import tempfile
from pathlib import Path
from types import ModuleType

from filelock import FileLock


@functools.cache
def import_librosa() -> ModuleType:
    """Returns the package after everything that it compiles at import is compiled."""
    with FileLock(Path(tempfile.gettempdir()) / f"librosa-import-{os.getuid()}.lock"):
        import librosa
        import librosa.core.pitch  # librosa alone loads it on first use
    package: ModuleType = librosa
    return package
