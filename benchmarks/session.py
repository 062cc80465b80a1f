"""What a step of many rows costs a row, in this source and in another checkout of it.

    python -m benchmarks.session --against ../before > benchmarks/results/session.json
    python -m benchmarks.report

Each source has a process of its own, which writes the latents of as many sentences at once as
there are rows, in turn with the other; sentence and voice are the same in all rows, the seeds are
not. The cost is the processor time from the first element of each row to the end, over the latents
written in it; on a shared machine that varies less than the time of the clock. The voice is the one
that ships. `--against` names the root of the other checkout.

Prints one JSON object: medians in milliseconds a latent, and the median of the turns' ratios.
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

from benchmarks.hardware import describe

ROOT = Path(__file__).parents[1]
SENTENCE = "The library opens at nine."
VOICE = "heart"
HERE = "after"

# Runs in either checkout: it must not use anything that one of them lacks.
WORKER = """
import json, sys, time
import torch
import latentspeech
from latentspeech.core.lm.generate import SamplingConfig
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
    """A checkout in a process of its own."""

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
        """Milliseconds a latent when `rows` sentences are written at once."""
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
        if not line:  # it has told why on stderr
            sys.exit(self._process.wait() or 1)
        answer: dict[str, Any] = json.loads(line)
        return answer


def measure(
    sources: dict[str, Path], runtime: str, rows: int, repeats: int, threads: int
) -> dict[str, Any]:
    """Medians of all sources, which take turns."""
    workers = {name: Worker(root, runtime, threads) for name, root in sources.items()}
    found: dict[str, list[float]] = {name: [] for name in sources}
    for turn in range(repeats + 1):
        for name, worker in workers.items():
            cost = worker.ms_per_latent(rows)
            if turn:  # the first is to warm up
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
    """Of a checkout."""
    command = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--against", type=Path, help="root of a checkout of another commit")
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8, 64])
    parser.add_argument("--runtimes", nargs="+", default=["onnx-int8", "torch"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1, help="of each process")
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
