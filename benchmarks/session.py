"""Measures the cost of a latent in a batch of many rows, in this source and in another checkout.

    python -m benchmarks.session --against ../before > benchmarks/results/session.json
    python -m benchmarks.report

Each source runs in a process of its own, alternately with the other, and writes the latents of one
sentence in each row at once. Sentence and voice are the same in all rows, the seeds differ. The
cost is the processor time from the first element of each row to the end, divided by the number of
latents written in that time; on a shared machine processor time varies less than clock time. The
voice is the one that ships. `--against` names the root of the other checkout.

Prints one JSON object with medians in milliseconds per latent, and the median of the ratios.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.lib.hardware import describe

ROOT = Path(__file__).parents[1]
SENTENCE = "The library opens at nine."
VOICE = "heart"
HERE = "after"

# Runs in either checkout: it must not use anything that one of them lacks.
WORKER = """
import json, sys, time
import torch
import latentspeech
from latentspeech.core.lm.sampling.generate import SamplingConfig
from latentspeech.text.normalizer import normalize
from latentspeech.tts.latent_writer import Sentence, write_steps
runtime, text, name, threads = sys.argv[1:]
torch.set_num_threads(int(threads))
speaker = latentspeech.load(None, "cpu", runtime)
voice, sampling = speaker.voice(name), SamplingConfig(cfg_scale=2.0, num_steps=3, noise_scale=0.3)
print("{}", flush=True)
for line in sys.stdin:
    rows = [Sentence(normalize(text), voice, seed) for seed in range(int(line))]
    steps = write_steps(speaker.model, rows, sampling)
    next(steps)
    start = time.process_time()
    latents = sum(one.latent is not None for step in steps for one in step.values())
    seconds = time.process_time() - start
    print(json.dumps({"seconds": seconds, "latents": latents}), flush=True)
"""


class Worker:
    """A process that runs a checkout."""

    def __init__(self, root: Path, runtime: str, threads: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-c", WORKER, runtime, SENTENCE, VOICE, str(threads)],
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": str(threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._answer()

    def ms_per_latent(self, rows: int) -> float:
        """Writes `rows` sentences at once and returns milliseconds per latent."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{rows}\n")
        self._process.stdin.flush()
        answer = self._answer()
        return 1000 * answer["seconds"] / answer["latents"]

    def close(self) -> None:
        """Ends the process."""
        self._process.communicate()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:  # the process has written the reason to stderr
            sys.exit(self._process.wait() or 1)
        answer: dict[str, Any] = json.loads(line)
        return answer


def measure(
    sources: dict[str, Path], runtime: str, rows: int, repeats: int, threads: int
) -> dict[str, Any]:
    """Measures all sources alternately and returns their medians."""
    workers = {name: Worker(root, runtime, threads) for name, root in sources.items()}
    found: dict[str, list[float]] = {name: [] for name in sources}
    for turn in range(repeats + 1):
        for name, worker in workers.items():
            cost = worker.ms_per_latent(rows)
            if turn:  # the first call only warms up
                found[name].append(cost)
    for worker in workers.values():
        worker.close()
    medians = {name: statistics.median(costs) for name, costs in found.items()}
    row = {"runtime": runtime, "rows": rows}
    row |= {f"{name}_ms": round(cost, 3) for name, cost in medians.items()}
    if "before" in medians:
        pairs = zip(found["before"], found[HERE], strict=True)
        ratios = [before / after for before, after in pairs]
        row["before_over_after"] = round(statistics.median(ratios), 3)
    return row


def commit(root: Path) -> str:
    """Returns the commit of a checkout."""
    command = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Runs the benchmark and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="root of a checkout of another commit")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--runtimes", nargs="+", default=["onnx-int8", "torch"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="threads of each process")
    arguments = parser.parse_args()
    sources = {HERE: ROOT}
    if arguments.against is not None:
        sources = {"before": arguments.against.resolve(), **sources}
    start = time.perf_counter()
    results = []
    for runtime in arguments.runtimes:
        for rows in arguments.rows:
            row = measure(sources, runtime, rows, arguments.repeats, arguments.threads)
            results.append(row)
            sys.stderr.write(f"{row}\n")
    report = {
        "hardware": describe(),
        "commits": {name: commit(root) for name, root in sources.items()},
        "repeats": arguments.repeats,
        "results": results,
        "seconds": round(time.perf_counter() - start),
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
