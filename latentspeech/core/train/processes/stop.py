"""Turns SIGTERM and Ctrl-C into a request to stop, which the loop obeys between two steps."""

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
        # Python sets handlers only in the main thread; in another one we leave signals alone.
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
        # It only sets a flag, since a handler may interrupt the code that writes logs.
        if self.name and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.name = signal.Signals(number).name


def prepare_loader(trainer: int, worker: int) -> None:
    """Makes a loader process ignore signals to stop, and end when `trainer` (a process id) ends.

    After a signal to the whole group, the step in progress must finish. Torch's own watch misses a
    trainer that was killed while the loader was starting, so the loader waited forever.
    """
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    die_with_parent()
    if os.getppid() != trainer:
        os._exit(1)


def die_with_parent() -> None:
    """Has the system kill this process when the process that started it ends (Linux only)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DEATH_SIGNAL, signal.SIGKILL)
