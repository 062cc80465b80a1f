"""Watches the other processes of a run: if one fails or falls silent, all name it and stop.

Every process writes a heartbeat into the store that torchrun keeps, and watches the next process in
a ring. The first report of a failure counts, and every process reads it. A main thread that waits
for a dead process in an exchange of gradients never returns, so the watch ends such a process.

torchrun notices a process that ends, but it neither tells the others its error nor notices one that
hangs; the others would wait until the exchange itself times out, 30 minutes on gloo. So the tests
kill, halt and break one process, and the others must name it and end.
"""

import contextlib
import logging
import os
import socket
import threading
import time
from datetime import timedelta
from types import TracebackType
from typing import Self

import torch
from torch.distributed import DistError
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from latentspeech.core.errors import PeerError

logger = logging.getLogger(__name__)

BEAT_S = 1.0
EXPLAIN_S = 5.0  # silence of a process that explains a broken exchange
GRACE_S = 30.0  # time to finish a checkpoint when another process is lost
EXIT_CODE = 2

_FAILURE, _ENDED = "failure", "ended"
_runs = 0  # watches of this process so far, so that each has its own keys


class PeerWatch:
    """Within the block it watches other processes; it reports an error that leaves it to them."""

    def __init__(self, rank: int, world_size: int, timeout_s: float) -> None:
        """Args: `timeout_s` is the silence after which a process counts as lost."""
        global _runs
        _runs += 1
        self._rank, self._world_size, self._timeout_s = rank, world_size, timeout_s
        self._prefix = f"peers/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}/{_runs}"
        self._over = threading.Event()
        self._failure = ""
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._world_size > 1:
            self._beat(self._connect(), 0)
            self._thread = threading.Thread(target=self._run, name="peer-watch", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._thread is None:
            return
        found = self._explain() if _broken_exchange(error) else ""
        self._over.set()
        if not found:
            # If the store has gone, there is no one to tell, and the error itself says more.
            with contextlib.suppress(RuntimeError):
                self._leave(error)
        self._thread.join(timeout=2 * BEAT_S)
        if found:
            raise PeerError(found) from None

    def _leave(self, error: BaseException | None) -> None:
        store = self._connect()
        store.set(f"{_ENDED}/{self._rank}", "1")
        if error is not None:
            self._report(store, self._rank, f"{type(error).__name__}: {error}")

    def _explain(self) -> str:
        """Waits until the watch knows who broke the exchange; empty if it does not find out."""
        limit = time.monotonic() + EXPLAIN_S + 5 * BEAT_S
        self._timeout_s = min(self._timeout_s, EXPLAIN_S)
        while not self._failure and time.monotonic() < limit:
            time.sleep(BEAT_S / 10)
        return self._failure

    def _run(self) -> None:
        store = self._connect()
        following = (self._rank + 1) % self._world_size
        last, changed, count = b"", time.monotonic(), 0
        while not self._over.wait(BEAT_S):
            count += 1
            try:
                self._beat(store, count)
                beat = store.get(f"beat/{following}") if store.check([f"beat/{following}"]) else b""
                ended = store.check([f"{_ENDED}/{following}"])
                if beat != last or ended:
                    last, changed = beat, time.monotonic()
                silence_s = time.monotonic() - changed
                if silence_s > self._timeout_s:
                    text = f"gave no sign of life for {silence_s:.0f} s"
                    self._report(store, following, f"{_place(last)}{text}")
                failure = store.get(_FAILURE).decode() if store.check([_FAILURE]) else ""
            except RuntimeError as error:  # torch's own errors of a store are RuntimeErrors
                reason = " ".join(str(error).split())[:200]
                failure = f"the process that started rank 0 cannot be reached ({reason}){_ADVICE}"
            if failure:
                self._failure = failure
                break
        else:
            return
        # The main thread may end by itself, but not while it waits for the lost process.
        if not self._over.wait(min(GRACE_S, self._timeout_s)):
            logger.error("%s", self._failure)
            logging.shutdown()
            os._exit(EXIT_CODE)

    def _beat(self, store: Store, count: int) -> None:
        store.set(f"beat/{self._rank}", f"{count} {socket.gethostname()} {os.getpid()}")

    def _report(self, store: Store, rank: int, what: str) -> None:
        text = " ".join(what.split())
        store.compare_set(_FAILURE, "", f"process of rank {rank} stopped: {text}{_ADVICE}")

    def _connect(self) -> Store:
        # Each thread has its own connection, since a store's client serves one thread at a time.
        store: Store = next(iter(rendezvous("env://", timeout=timedelta(seconds=30))))[0]
        return PrefixStore(self._prefix, store)


_ADVICE = (
    "; all processes stop, what is saved is whole; mend the cause (that process may have told more "
    "in its node's log) and start the same command again: it goes on from the newest checkpoint"
)


def _place(beat: bytes) -> str:
    _, *where = beat.decode().split()
    return f"(host {where[0]}, process {where[1]}) " if where else ""


def _broken_exchange(error: BaseException | None) -> bool:
    """Whether an error may come from another process that has gone."""
    if isinstance(error, torch.OutOfMemoryError) or not isinstance(error, RuntimeError):
        return False
    text = str(error).lower()
    return isinstance(error, DistError) or "gloo" in text or "nccl" in text
