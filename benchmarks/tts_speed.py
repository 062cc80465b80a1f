"""Text-to-speech speed on this machine: one of our models against pocket-tts 2.1.

    python -m benchmarks.tts_speed --model DIR --voice heart [--threads 2] [--repeats 5]

Each system runs in a process of its own (benchmarks/tts_systems.py) on `--threads` cores. The
systems alternate, and each speaks a sentence of about 5 s twice; pocket-tts makes audio of the same
length after a prompt of the same length. Only the second call counts. Before the first call a
process has slept while the others spoke, for a time that differs between systems, and the CPU
caches hold the others' data; the time to first audio of this call is reported too.

Both systems have two threads, for the language model and for the decoder, with one torch thread
each. pocket-tts is also timed with `--threads` torch threads each, and every goal compares ours
with the better of the two.

The cold start is the time of `latentspeech synth` with its default settings, retries included, in a
new process to the end of the file. Its parts are reported too: imports and weights, which are the
loading of the model, then the voice; and the sentence in a warm process. Files are in the system's
cache. Linux only.

Prints one JSON object. Times are medians, and ratios are ratios of medians.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from benchmarks.lib import pocket_model
from benchmarks.tts_systems import Ours, Pocket, Turn

ROOT = Path(__file__).parents[1]
SENTENCE = "The library opens at nine, and the reading room upstairs stays quiet until the evening."
OURS, POCKET = "latentspeech", f"pocket-tts {pocket_model.VERSION}"
MIN_SPEED_RATIO, MAX_FIRST_AUDIO_RATIO, MAX_MEMORY_MB, MAX_WARM_TIMES = 6.0, 1 / 3, 1000.0, 3.0
TORCH_ALONE = "import torch; from benchmarks.tts_systems import peak_mb; print(peak_mb())"


class Worker:
    """A process that runs one system, and the time that its start took."""

    def __init__(self, kind: str, settings: Ours | Pocket) -> None:
        values = json.dumps(settings._asdict())
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.tts_systems", kind, values],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(settings.threads),
        )
        self.start_s: dict[str, float] = {}  # seconds of each part of the start
        for stage in ("imported", "loaded", "ready"):
            self.about = self._answer()
            self.start_s[stage] = time.perf_counter() - start
            start += self.start_s[stage]
        self.peak_mb = 0.0

    def turn(self) -> Turn:
        """Speaks the sentence once."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        answer = self._answer()
        self.peak_mb = answer.pop("peak_mb")
        return Turn(**answer)

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:  # the process has written the reason to stderr
            sys.exit(self._process.wait() or 1)
        answer: dict[str, Any] = json.loads(line)
        del answer["stage"]
        return answer

    def __enter__(self) -> "Worker":
        return self

    def __exit__(self, *error: object) -> None:
        self._process.communicate()


def environment(threads: int) -> dict[str, str]:
    """Returns an environment in which torch has `threads` threads and imports this repository."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "PYTHONPATH": os.pathsep.join(paths),
    }


def warm(ours: Ours, repeats: int) -> tuple[list[dict[str, Any]], dict[str, list[Turn]]]:
    """Times warm calls; returns a row for every system, and its calls."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        workers = {OURS: stack.enter_context(Worker("ours", ours))}
        audio_s = workers[OURS].turn().audio_s
        config = str(pocket_model.write_config(folder, ours.text))
        prompt_s = workers[OURS].about["prompt_s"]
        for threads in sorted({1, ours.threads}):
            settings = Pocket(config, prompt_s, audio_s, ours.text, threads)
            name = f"{POCKET}, {threads} torch thread(s) each"
            workers[name] = stack.enter_context(Worker("pocket", settings))
            workers[name].turn()
        turns: dict[str, list[Turn]] = {name: [] for name in workers}
        after_sleep: dict[str, list[Turn]] = {name: [] for name in workers}
        for _ in range(repeats):
            for name, worker in workers.items():
                after_sleep[name].append(worker.turn())
                turns[name].append(worker.turn())
        rows = [
            row(name, worker, turns[name], after_sleep[name]) for name, worker in workers.items()
        ]
        return rows, turns


def row(
    name: str, worker: Worker, turns: Sequence[Turn], after_sleep: Sequence[Turn]
) -> dict[str, Any]:
    """Makes the row of one system in the report."""
    rtf = median_rtf(turns)
    return {
        "what": name,
        "parameters_m": round(worker.about["parameters_m"], 1),
        "prompt_s": round(worker.about["prompt_s"], 2),
        "audio_s": round(turns[0].audio_s, 2),
        "rtf": round(rtf, 4),
        "x_real_time": round(1 / rtf, 2),
        "first_audio_ms": round(1000 * median_first(turns), 1),
        "first_audio_after_sleep_ms": round(1000 * median_first(after_sleep), 1),
        "peak_mb": round(worker.peak_mb),
    }


def median_rtf(turns: Sequence[Turn]) -> float:
    """Returns the median of seconds computed per second of audio."""
    return statistics.median(turn.seconds / turn.audio_s for turn in turns)


def median_first(turns: Sequence[Turn]) -> float:
    """Returns the median of seconds to the first chunk."""
    return statistics.median(turn.first_audio_s for turn in turns)


def cold(ours: Ours, repeats: int) -> dict[str, float]:
    """Times `latentspeech synth` from start to end and, alternately, the parts of a start."""
    command = [sys.executable, "-m", "latentspeech.cli.main", "synth", "--quiet"]
    for name in ("model", "voice", "prompt", "prompt_text", "text"):
        value = getattr(ours, name)
        command += [f"--{name.replace('_', '-')}", value] if value is not None else []
    parts: dict[str, list[float]] = {"cold_s": [], "imported": [], "loaded": [], "ready": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(repeats):
            start = time.perf_counter()
            run = [*command, "--out", f"{folder}/out.wav"]
            code = subprocess.run(run, env=environment(ours.threads), check=False).returncode
            if code:
                sys.exit(code)
            parts["cold_s"].append(time.perf_counter() - start)
            with Worker("ours", ours) as fresh:
                for stage, seconds in fresh.start_s.items():
                    parts[stage].append(seconds)
    names = {"imported": "imports_s", "loaded": "weights_s", "ready": "voice_s"}
    return {names.get(part, part): statistics.median(values) for part, values in parts.items()}


def goals(
    turns: Mapping[str, Sequence[Turn]], peak_mb: float, start: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Returns each goal with the value that was found."""
    ours, peers = turns[OURS], [values for name, values in turns.items() if name != OURS]
    speed = min(median_rtf(peer) for peer in peers) / median_rtf(ours)
    first = median_first(ours) / min(median_first(peer) for peer in peers)
    longest = MAX_WARM_TIMES * start["warm_s"] + start["imports_s"] + start["weights_s"]
    return [
        _goal(f"speed over {POCKET}, x", "at least", MIN_SPEED_RATIO, speed),
        _goal(f"first audio over that of {POCKET}, x", "at most", MAX_FIRST_AUDIO_RATIO, first),
        _goal("peak memory, MB", "at most", MAX_MEMORY_MB, peak_mb),
        _goal("cold start to end of sentence, s", "at most", longest, start["cold_s"]),
    ]


def _goal(what: str, bound: str, limit: float, found: float) -> dict[str, Any]:
    met = found >= limit if bound == "at least" else found <= limit
    values = {"limit": round(limit, 3), "found": round(found, 3)}
    return {"what": what, "bound": bound, **values, "met": bool(met)}


def measure(ours: Ours, repeats: int, cold_repeats: int) -> dict[str, Any]:
    """Runs all measurements."""
    rows, turns = warm(ours, repeats)
    start = cold(ours, cold_repeats)
    start["warm_s"] = statistics.median(turn.seconds for turn in turns[OURS])
    found = subprocess.run(
        [sys.executable, "-c", TORCH_ALONE],
        env=environment(ours.threads),
        check=True,
        capture_output=True,
    )
    return {
        "rows": rows,
        "torch_alone_mb": round(float(found.stdout)),
        "cold": {part: round(seconds, 3) for part, seconds in start.items()},
        "goals": goals(turns, rows[0]["peak_mb"], start),
    }


def keep_to_cores(count: int) -> None:
    """Limits this process and those that it starts to `count` cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def main() -> None:
    """Runs the benchmark and prints JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a TTS model directory; LATENTSPEECH_MODEL if not given")
    voice = parser.add_mutually_exclusive_group(required=True)
    voice.add_argument("--voice", help="a voice that ships, or a voice file")
    voice.add_argument("--prompt", help="a recording of a voice")
    parser.add_argument(
        "--prompt-text", help="its transcript; without it `synth` may spend time to recognise it"
    )
    parser.add_argument("--text", default=SENTENCE, help="one sentence of about 5 s")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--cold-repeats", type=int, default=3)
    arguments = parser.parse_args()
    if min(arguments.threads, arguments.repeats, arguments.cold_repeats) < 1:
        parser.error("--threads, --repeats and --cold-repeats are at least 1")
    reason = pocket_model.missing()
    if reason is not None:
        parser.exit(2, f"error: {reason}\n")
    keep_to_cores(arguments.threads)
    ours = Ours(**{name: getattr(arguments, name) for name in Ours._fields})
    found = measure(ours, arguments.repeats, arguments.cold_repeats)

    import torch  # late, so that a wrong argument is reported at once

    from benchmarks.lib.hardware import describe

    torch.set_num_threads(arguments.threads)
    settings = {name: getattr(arguments, name) for name in ("model", "text", "repeats")}
    print(json.dumps({"hardware": describe(), **settings, **found}, indent=2))


if __name__ == "__main__":
    main()
