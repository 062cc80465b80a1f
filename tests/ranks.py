"""The processes of one training run, started as torchrun does it but without its cost.

Most of a small run's time is the import of torch. Here a server process imports once what the runs
need, and every process of a run is forked from it.
"""

import importlib
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from multiprocessing.connection import wait
from pathlib import Path

from torch.distributed import TCPStore

CONTEXT = multiprocessing.get_context("forkserver")
CONTEXT.set_forkserver_preload(["tests.contracts.process_run", "tests.contracts.image_process_run"])


class Ranks:
    """A run in progress; its surface is the part of subprocess.Popen that tests use.

    One process runs as the plain command does, several as under torchrun.

    Args:
        module: name of a module whose function main(words) trains, and returns an exit status.
    """

    def __init__(self, module: str, words: Sequence[str], num_processes: int) -> None:
        self.returncode: int | None = None
        file, name = tempfile.mkstemp(prefix="ranks-", suffix=".log")
        os.close(file)
        self._log = Path(name)
        environment: dict[str, str] = {}
        if num_processes > 1:
            # It outlives the ranks, as the one of torchrun's own process does.
            self._store = TCPStore("localhost", 0, is_master=True, wait_for_workers=False)
            environment = _torchrun_environment(num_processes, self._store)
        self._processes = [
            CONTEXT.Process(
                target=_run,
                args=(module, list(words), self._log, {**environment, **_place(rank, environment)}),
            )
            for rank in range(num_processes)
        ]
        for process in self._processes:
            process.start()

    def poll(self) -> int | None:
        """The exit status once all have ended: of several, 1 where one failed or was killed."""
        codes = [process.exitcode for process in self._processes]
        if None not in codes:
            self.returncode = codes[0] if len(codes) == 1 else int(any(codes))
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        """Sends a signal to every process."""
        for process in self._processes:
            if process.pid is not None and process.is_alive():
                os.kill(process.pid, number)

    def kill(self) -> None:
        """Kills every process."""
        self.send_signal(signal.SIGKILL)

    def communicate(self, timeout: float = 60.0) -> tuple[str, str]:
        """Waits for all; returns ("", what they wrote to both of their outputs).

        Raises:
            subprocess.TimeoutExpired: it took more than `timeout` seconds; all were killed.
        """
        deadline = time.monotonic() + timeout
        while (running := [p for p in self._processes if p.is_alive()]) and (
            left := deadline - time.monotonic()
        ) > 0:
            wait([process.sentinel for process in running], left)
        if running:
            self.kill()
            raise subprocess.TimeoutExpired(self._log.read_text(), timeout)
        self.poll()
        text = self._log.read_text()
        self._log.unlink()
        return "", text


def _torchrun_environment(num_processes: int, store: TCPStore) -> dict[str, str]:
    count = str(num_processes)
    return {
        **{"WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "GROUP_RANK": "0"},
        **{"MASTER_ADDR": store.host, "MASTER_PORT": str(store.port)},
        **{"TORCHELASTIC_RUN_ID": "test", "TORCHELASTIC_USE_AGENT_STORE": "True"},
    }


def _place(rank: int, environment: dict[str, str]) -> dict[str, str]:
    return {"RANK": str(rank), "LOCAL_RANK": str(rank)} if environment else {}


def _run(module: str, words: list[str], log: Path, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    multiprocessing.set_start_method("fork", force=True)  # of loaders, as in a plain process
    sink = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(sink, stream)
    try:
        status = importlib.import_module(module).main(words)
    except BaseException:
        traceback.print_exc()
        status = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
