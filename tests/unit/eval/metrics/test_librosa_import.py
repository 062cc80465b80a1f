"""Librosa's cache of compiled functions is filled by one process at a time."""

import fcntl
import os
import tempfile
import threading
from pathlib import Path

from latentspeech.eval.metrics.librosa_import import import_librosa


def test_the_import_waits_for_the_process_that_is_at_it():
    done = threading.Event()
    importer = threading.Thread(target=lambda: (import_librosa.__wrapped__(), done.set()))
    with (Path(tempfile.gettempdir()) / f"librosa-import-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        importer.start()
        assert not done.wait(0.3)
    importer.join(timeout=120)
    assert done.is_set()
