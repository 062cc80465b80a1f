"""Measures `latentspeech serve` under load: first audio, speed of all together, what leavers leave.

    python -m benchmarks.server > benchmarks/results/server.json
    python -m benchmarks.report

The server runs in a process of its own. At each level a number of clients ask at once, each for
another text with another seed, and read what comes. The rows of the table give

- the time to the first audio, median and 95th percentile of the clients;
- seconds of speech made in a second, of all clients together, and its ratio to one client's;
- processor time of the server for a second of speech, which other programs of the machine change
  less than clock time.

Then 64 clients ask and 30 % of them leave at a random time; rows, speeches, threads and open files
of the server afterwards are compared with those before. Prints one JSON object. Needs Linux.
"""

import argparse
import asyncio
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

from benchmarks.lib.hardware import describe

TEXTS = (
    "The tide comes in at six, and by noon the boats are gone.",
    "Did you hear what the doctor said about the winter?",
    "The library opens at nine, but nobody is there before ten.",
    "She put the letter on the table and went out without a word.",
    "Our train leaves in half an hour, so please hurry up a little.",
    "It rained all night, and in the morning the bridge was gone.",
    "Nobody asked where they went, or when they would be back.",
    "He told the story twice, and the second time it was shorter.",
)
VOICES = ("heart", "george", "emma")
RATE = 24_000
LEAVERS = 0.3
LEAVING_CLIENTS = 64
_SETTLE_S = 60.0


class Heard(NamedTuple):
    """What one client got."""

    first_s: float
    audio_s: float


class ServerProcess:
    """A server, which writes its port to stderr, and what the system says about its process."""

    def __init__(self, command: list[str], packages: Path | None = None) -> None:
        """Starts it; `packages` is a folder of more packages for it."""
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if packages is not None:
            path = [str(packages), environment.get("PYTHONPATH", "")]
            environment["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        self._process = subprocess.Popen(
            command, stderr=subprocess.PIPE, text=True, env=environment
        )
        assert self._process.stderr is not None
        line = next(line for line in self._process.stderr if "listening" in line)
        found = re.search(r":(\d+)$", line.strip())
        assert found is not None
        self.port = int(found[1])
        self._proc = Path("/proc") / str(self._process.pid)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.communicate()

    def processor_s(self) -> float:
        """Seconds of all of its threads so far."""
        fields = (self._proc / "stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def holds(self) -> dict[str, int]:
        """Its rows, speeches, threads and open files."""
        url = f"http://127.0.0.1:{self.port}/ready"
        with urllib.request.urlopen(url) as answer:
            ready = json.loads(answer.read())
        files = [path for path in (self._proc / "fd").iterdir() if path.exists()]
        threads = len(list((self._proc / "task").iterdir()))
        return {
            "rows": ready["rows"],
            "speeches": ready["speeches"],
            "threads": threads,
            "files": len(files),
        }

    def settled(self) -> dict[str, int]:
        """What it holds once its speeches have ended, or after a minute."""
        end = time.monotonic() + _SETTLE_S
        while (found := self.holds())["speeches"] and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def memory_mb(self) -> float:
        """Its resident memory."""
        found = re.search(r"VmRSS:\s+(\d+) kB", (self._proc / "status").read_text())
        assert found is not None
        return round(int(found[1]) / 1000, 1)


@contextmanager
def our_server(options: list[str]) -> Iterator[ServerProcess]:
    """Runs `latentspeech serve` at a free port, with a folder of voices of its own."""
    command = [sys.executable, "-m", "latentspeech.cli.main", "serve", "--port", "0"]
    with (
        tempfile.TemporaryDirectory() as folder,
        ServerProcess([*command, "--voices-dir", folder, *options]) as server,
    ):
        yield server


async def ask(
    port: int, seed: int, leaves_after_s: float | None = None, audio_format: str = "pcm"
) -> Heard | None:
    """Asks for a speech and reads it; None for a client that leaves early.

    The length of the audio is right for pcm alone.
    """
    body = json.dumps(
        {
            "input": TEXTS[seed % len(TEXTS)],
            "voice": VOICES[seed % len(VOICES)],
            "seed": seed,
            "response_format": audio_format,
        }
    ).encode()
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
    try:
        async with asyncio.timeout(leaves_after_s):
            return await read_speech(reader, start)
    except TimeoutError:
        return None
    finally:
        writer.close()


async def read_speech(
    reader: asyncio.StreamReader, start: float, num_header_bytes: int = 0
) -> Heard:
    """Reads an answer in chunks, of 16-bit samples after a header."""
    head = await reader.readuntil(b"\r\n\r\n")
    if b" 200 " not in head.splitlines()[0]:
        raise RuntimeError(head.decode() + (await reader.read(1000)).decode())
    num_bytes, first_s = 0, 0.0
    while size := int(await reader.readline(), 16):
        await reader.readexactly(size + 2)
        num_bytes += size
        if num_bytes > num_header_bytes:
            first_s = first_s or time.perf_counter() - start
    await reader.readline()
    return Heard(first_s, (num_bytes - num_header_bytes) / 2 / RATE)


async def level(
    server: ServerProcess,
    clients: int,
    seeds: range,
    ask_one: Callable[[int, int], Awaitable[Heard | None]] = ask,
) -> dict[str, float]:
    """One level of load: each client asks once."""
    begun, processor_s = time.perf_counter(), server.processor_s()
    found = await asyncio.gather(*(ask_one(server.port, seed) for seed in seeds[:clients]))
    wall_s, processor_s = time.perf_counter() - begun, server.processor_s() - processor_s
    heard = [one for one in found if one is not None]
    assert len(heard) == clients
    audio_s = sum(one.audio_s for one in heard)
    firsts = sorted(1000 * one.first_s for one in heard)
    return {
        "first_p50_ms": statistics.median(firsts),
        "first_p95_ms": firsts[min(len(firsts) - 1, round(0.95 * len(firsts)))],
        "x_real_time": audio_s / wall_s,
        "processor_s_per_s": processor_s / audio_s,
    }


def measure(server: ServerProcess, levels: list[int], repeats: int) -> list[dict[str, Any]]:
    """Medians of all levels, which are measured in turn."""
    found: dict[int, list[dict[str, float]]] = {clients: [] for clients in levels}
    asyncio.run(level(server, 4, range(4)))  # warms up
    for turn in range(repeats):
        for clients in levels:
            # One client speaks a few times, so that its speed is no accident either.
            turns = [
                range(100 * turn + i, 100 * turn + 200) for i in range(4 if clients == 1 else 1)
            ]
            found[clients] += [asyncio.run(level(server, clients, seeds)) for seeds in turns]
    rows = []
    for clients, results in found.items():
        keys = results[0]
        row = {key: statistics.median(result[key] for result in results) for key in keys}
        rows.append({"clients": clients, **{key: round(value, 4) for key, value in row.items()}})
    one = rows[0]
    for row in rows:
        row["over_one"] = round(row["x_real_time"] / one["x_real_time"], 3)
        row["processor_over_one"] = round(one["processor_s_per_s"] / row["processor_s_per_s"], 3)
    return rows


def leave(server: ServerProcess) -> dict[str, Any]:
    """Lets many clients leave early; returns what the server holds before and after."""
    generator = random.Random(0)
    before = server.holds()
    after_s = [
        generator.uniform(0, 3) if generator.random() < LEAVERS else None
        for _ in range(LEAVING_CLIENTS)
    ]

    async def crowd() -> list[Heard | None]:
        return await asyncio.gather(
            *(ask(server.port, seed, seconds) for seed, seconds in enumerate(after_s))
        )

    heard = asyncio.run(crowd())
    left = heard.count(None)
    return {"clients": len(heard), "left": left, "before": before, "after": server.settled()}


def main() -> None:
    """Runs the benchmark and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16, 64, 100])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--max-rows", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1, help="ignored; the server chooses")
    parser.add_argument("--elastic", action="store_true")
    arguments = parser.parse_args()
    options = ["--max-rows", str(arguments.max_rows), *(["--elastic"] * arguments.elastic)]
    start = time.perf_counter()
    with our_server(options) as server:
        memory_mb = server.memory_mb()
        results = measure(server, sorted(arguments.clients), arguments.repeats)
        leavers = leave(server)
        memory = {"at_start_mb": memory_mb, "at_end_mb": server.memory_mb()}
    report = {
        "hardware": describe(),
        "max_rows": arguments.max_rows,
        "elastic": arguments.elastic,
        "repeats": arguments.repeats,
        "results": results,
        "leavers": leavers,
        "memory": memory,
        "seconds": round(time.perf_counter() - start),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
