"""SIGTERM and Ctrl-C become a request that the loop honours between two steps."""

import ctypes
import os
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any, Self

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <linux/prctl.h>


class StopRequest:
    """Within the block the first signal only sets `name`; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.name = ""
        self._previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Python allows handlers in the main thread only; elsewhere signals are not ours to take.
        if threading.current_thread() is threading.main_thread():
            self._previous = {number: signal.signal(number, self._note) for number in _SIGNALS}
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        # Nothing but a flag: a handler may interrupt the very code that writes logs.
        if self.name and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.name = signal.Signals(number).name


def prepare_loader(trainer: int, worker: int) -> None:
    """For loader processes: ignore what asks the trainer (its process id) to stop, and die with it.

    A signal to the whole group must let the step in progress finish. Torch's own watch over the
    trainer misses one that was killed while the loader was starting, which left it waiting forever.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    die_with_parent()
    if os.getppid() != trainer:
        os._exit(1)


def die_with_parent() -> None:
    """From now on this process is killed when the one that started it ends (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
