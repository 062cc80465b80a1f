"""Runs `latentspeech serve` for a long time and watches what it holds.

    python -m benchmarks.server_soak --minutes 30 > benchmarks/results/server_soak.json
    python -m benchmarks.report

A few clients ask without a pause, in all formats; 30 % of them leave at a random time. Resident
memory is read every few seconds. The report has its median in each tenth of the time, its slope in
the second half by least squares, and the rows, speeches, threads and files at start and end. Prints
one JSON object. Needs Linux.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import time
from typing import Any

from benchmarks.lib.hardware import describe
from benchmarks.server import LEAVERS, ServerProcess, ask, our_server

FORMATS = ("pcm", "mp3", "opus", "flac", "wav", "aac")
_WATCH_S = 5.0
_PARTS = 10


class Soak:
    """Clients that ask until the time is over, and what was seen of the server meanwhile."""

    def __init__(self, server: ServerProcess, minutes: float) -> None:
        self._server, self._seconds = server, 60 * minutes
        self._generator = random.Random(0)
        self._num_asked = self.num_left = 0
        self._start = time.monotonic()
        self.memory: list[tuple[float, float]] = []  # minutes since the start, MB

    @property
    def num_speeches(self) -> int:
        """The number of requests so far."""
        return self._num_asked

    async def run(self, clients: int) -> None:
        """Returns when the time is over and the last speech has ended."""
        watching = asyncio.create_task(self._watch())
        await asyncio.gather(*(self._ask_on() for _ in range(clients)))
        watching.cancel()

    async def _ask_on(self) -> None:
        while time.monotonic() - self._start < self._seconds:
            seed, self._num_asked = self._num_asked, self._num_asked + 1
            leaves = self._generator.random() < LEAVERS
            after_s = self._generator.uniform(0, 2) if leaves else None
            found = await ask(self._server.port, seed, after_s, FORMATS[seed % len(FORMATS)])
            self.num_left += found is None

    async def _watch(self) -> None:
        while True:
            minutes = (time.monotonic() - self._start) / 60
            self.memory.append((minutes, self._server.memory_mb()))
            if len(self.memory) % 12 == 1:
                print(f"{minutes:.1f} min: {self.memory[-1][1]} MB", file=sys.stderr)
            await asyncio.sleep(_WATCH_S)


def summary(memory: list[tuple[float, float]]) -> dict[str, Any]:
    """Medians of the parts of the time, MB, and the slope in the second half, MB a minute."""
    edges = [round(i * len(memory) / _PARTS) for i in range(_PARTS + 1)]
    parts = [memory[edges[i] : edges[i + 1]] for i in range(_PARTS)]
    minutes, megabytes = zip(*memory[len(memory) // 2 :], strict=True)
    slope, _ = statistics.linear_regression(minutes, megabytes)
    medians = [round(statistics.median(mb for _, mb in part), 1) for part in parts if part]
    return {"parts_mb": medians, "slope_mb_per_minute": round(slope, 4)}


def main() -> None:
    """Runs the soak and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=4)
    parser.add_argument("--max-rows", type=int, default=32)
    arguments = parser.parse_args()
    start = time.monotonic()
    with our_server(["--max-rows", str(arguments.max_rows)]) as server:
        server.holds()  # answers once the server is ready
        ready = {"seconds": time.monotonic() - start, "processor_s": server.processor_s()}
        asyncio.run(ask(server.port, 0))  # what is loaded once is no growth
        before = server.holds()
        soak = Soak(server, arguments.minutes)
        asyncio.run(soak.run(arguments.clients))
        after = server.settled()
    report = {
        "hardware": describe(),
        "minutes": arguments.minutes,
        "clients": arguments.clients,
        "ready": {name: round(value, 2) for name, value in ready.items()},
        "speeches": soak.num_speeches,
        "left": soak.num_left,
        "before": before,
        "after": after,
        "memory": summary(soak.memory),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
