"""Measures `latentspeech serve` beside the server of pocket-tts, in turns in one run.

    python -m benchmarks.server_peers --pocket FOLDER > benchmarks/results/server_peers.json
    python -m benchmarks.report

FOLDER has pocket-tts 4.0 (lib/pocket_model.py). Each server is a process with one thread for each
product of matrices. At each level a number of clients ask at once. Pocket-tts runs its models of 7M
and of 2M parameters. Their weights are random, so that the length of their speech is given: it is
that of ours. The columns are those of benchmarks/server.py. Prints one JSON object. Needs Linux.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
import urllib.parse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from benchmarks.lib import pocket_model
from benchmarks.lib.hardware import describe
from benchmarks.server import TEXTS, Heard, ServerProcess, ask, level, our_server, read_speech

_WAV_HEADER_BYTES = 44

Ask = Callable[[int, int], Awaitable[Heard | None]]


async def ask_pocket(port: int, seed: int) -> Heard:
    """Asks the server of pocket-tts for a speech and reads it."""
    form = {"text": TEXTS[seed % len(TEXTS)], "voice_url": "alba"}
    body = urllib.parse.urlencode(form).encode()
    start = time.perf_counter()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    kind = "application/x-www-form-urlencoded"
    head = f"POST /tts HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    writer.write(f"{head}Content-Type: {kind}\r\n\r\n".encode() + body)
    try:
        return await read_speech(reader, start, _WAV_HEADER_BYTES)
    finally:
        writer.close()


async def mean_audio_s(port: int) -> float:
    """The mean length of our speech of the texts."""
    heard = await asyncio.gather(*(ask(port, seed) for seed in range(len(TEXTS))))
    return statistics.mean(one.audio_s for one in heard if one is not None)


def measure(
    servers: dict[str, tuple[ServerProcess, Ask]], levels: list[int], repeats: int
) -> list[dict[str, Any]]:
    """Medians of each server at each level; the servers take turns."""
    rows = []
    for clients in levels:
        found: dict[str, list[dict[str, float]]] = {name: [] for name in servers}
        for turn in range(repeats):
            seeds = range(100 * turn, 100 * turn + clients)
            for name, (server, one) in servers.items():
                found[name].append(asyncio.run(level(server, clients, seeds, one)))
        for name, results in found.items():
            row = {key: statistics.median(one[key] for one in results) for key in results[0]}
            values = {key: round(value, 4) for key, value in row.items()}
            rows.append({"server": name, "clients": clients, **values})
            print(rows[-1], file=sys.stderr)
    return rows


def main() -> None:
    """Runs the benchmark and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--pocket", type=Path, required=True, help="folder with pocket-tts 4.0")
    arguments = parser.parse_args()
    try:
        package = pocket_model.find_package(arguments.pocket)
    except ValueError as error:
        parser.error(str(error))
    _measure(package, arguments.clients, arguments.repeats)


def _measure(package: pocket_model.PocketPackage, levels: list[int], repeats: int) -> None:
    """Starts the servers, measures them and prints JSON."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours = stack.enter_context(our_server([]))
        audio_s = asyncio.run(mean_audio_s(ours.port))
        servers: dict[str, tuple[ServerProcess, Ask]] = {"latentspeech": (ours, ask)}
        for name in package.configs:
            config = pocket_model.write_config(package, name, folder, " ".join(TEXTS))
            module = "benchmarks.lib.pocket_server"
            command = [sys.executable, "-m", module, str(config), str(audio_s)]
            pocket = stack.enter_context(ServerProcess(command, package.folder))
            asyncio.run(ask_pocket(pocket.port, 0))  # warms up, as ours is warm already
            servers[f"pocket-tts {package.version} {name}"] = (pocket, ask_pocket)
        results = measure(servers, sorted(levels), repeats)
    report = {
        "hardware": describe(),
        "repeats": repeats,
        "audio_s": round(audio_s, 2),
        "results": results,
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
