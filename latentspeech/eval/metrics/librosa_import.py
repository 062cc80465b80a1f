"""Librosa, imported by one process at a time.

Its compiled functions are cached in two files each as the import meets them. Two processes that
fill the cache together can leave a pair that does not fit, and every process that reads it crashes
(numba issue 10128), so a lock stands around the first import of each process.
"""

import functools
import os
import tempfile
from pathlib import Path
from types import ModuleType

from filelock import FileLock


@functools.cache
def import_librosa() -> ModuleType:
    """The package, with what it compiles at import."""
    with FileLock(Path(tempfile.gettempdir()) / f"librosa-import-{os.getuid()}.lock"):
        import librosa
        import librosa.core.pitch  # librosa alone loads it on first use
    package: ModuleType = librosa
    return package
