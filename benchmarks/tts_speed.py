"""Text-to-speech speed on this machine: one of our models against others.

    python -m benchmarks.tts_speed --model DIR --voice heart [--threads 2] [--repeats 5]
        [--pocket FOLDER ...] [--fixed hibari=FOLDER kokoro=FOLDER piper]

`--pocket` are folders with a version of pocket-tts each (lib/pocket_model.py), `--fixed` are voices
that packages carry (lib/fixed_voices.py).

Each system runs in a process of its own (benchmarks/tts_systems.py) on `--threads` cores. The
systems alternate, and each speaks a sentence of about 5 s twice; pocket-tts makes audio of the same
length after a prompt of the same length. Only the second call counts. Before the first call a
process has slept while the others spoke, for a time that differs between systems, and the CPU
caches hold the others' data; the time to first audio of this call is reported too.

Ours and pocket-tts have two threads, for the language model and for the decoder, where pocket-tts
has one torch thread each, or `--threads`; goals compare ours with the better of the two. The other
voices have one thread and hand out a sentence once it is complete.

The cold start is the time of `latentspeech synth` with its default settings, retries included, in a
new process to the end of the file. Its parts are reported too: imports and weights, which are the
loading of the model, then the voice; and the sentence in a warm process. Files are in the system's
cache. Linux only.

Prints one JSON object. Times are medians, and ratios are ratios of medians. Other programs may
share the machine, so rows have the best turn and the least processor time for a second as well.
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
from typing import Any, NamedTuple

from benchmarks.lib import pocket_model
from benchmarks.tts_systems import Fixed, Ours, Pocket, Turn

ROOT = Path(__file__).parents[1]
SENTENCE = "The library opens at nine, and the reading room upstairs stays quiet until the evening."
OURS = "latentspeech"
# The least speed over that of a peer, and the most time to first audio over the peer's.
PEER_GOALS = {
    "pocket-tts 2.1 english": (6.0, 1 / 3),
    "pocket-tts 4.0 english_7m_2026-10": (4.0, None),
    "pocket-tts 4.0 english_2m_2026-10": (3.0, 1 / 2),
}
MAX_MEMORY_MB, MAX_COLD_S = 300.0, 1.0


class Peer(NamedTuple):
    """A system to compare with; `folder` is where Python finds its package."""

    name: str
    kind: str
    settings: Pocket | Fixed
    folder: Path | None


class Worker:
    """A process that runs one system, and the time that its start took."""

    def __init__(
        self, kind: str, settings: Ours | Pocket | Fixed, folder: Path | None = None
    ) -> None:
        values = json.dumps(settings._asdict())
        start = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.tts_systems", kind, values],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(settings.threads, folder),
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


def environment(threads: int, folder: Path | None = None) -> dict[str, str]:
    """An environment with `threads` torch threads, this repository and a folder of packages."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    paths += [] if folder is None else [str(folder)]
    return {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "PYTHONPATH": os.pathsep.join(paths),
    }


def find_peers(
    pocket: Sequence[Path], fixed: Sequence[str], ours: Ours, scratch: Path
) -> list[Peer]:
    """The systems to compare with; pocket-tts with one torch thread and with as many as ours.

    Raises:
        ValueError: a folder has no pocket-tts, or a version that is not known.
    """
    counts = sorted({1, ours.threads})
    peers = []
    for package in map(pocket_model.find_package, pocket):
        for config in package.configs:
            name = f"pocket-tts {package.version} {config}"
            path = str(pocket_model.write_config(package, config, scratch, ours.text))
            settings = [Pocket(path, 0.0, 0.0, ours.text, threads) for threads in counts]
            peers += [Peer(name, "pocket", one, package.folder) for one in settings]
    for name, _, place in (text.partition("=") for text in fixed):
        peers.append(Peer(name, "fixed", Fixed(name, place or None, ours.text, 1), None))
    return peers


def warm(
    ours: Ours, peers: Sequence[Peer], repeats: int
) -> tuple[list[dict[str, Any]], dict[str, list[list[Turn]]]]:
    """Times warm calls; returns a row for every system, and the calls of its rows by its name."""
    with ExitStack() as stack:
        first = stack.enter_context(Worker("ours", ours))
        audio_s = first.turn().audio_s
        workers = [(OURS, OURS, first)]
        for peer in peers:
            settings = peer.settings
            if isinstance(settings, Pocket):
                settings = settings._replace(prompt_s=first.about["prompt_s"], audio_s=audio_s)
            worker = stack.enter_context(Worker(peer.kind, settings, peer.folder))
            workers.append((f"{peer.name}, {settings.threads} thread(s)", peer.name, worker))
            worker.turn()
        turns: list[list[Turn]] = [[] for _ in workers]
        after_sleep: list[list[Turn]] = [[] for _ in workers]
        for _ in range(repeats):
            for place, (_, _, worker) in enumerate(workers):
                after_sleep[place].append(worker.turn())
                turns[place].append(worker.turn())
        rows = [
            row(what, worker, turns[place], after_sleep[place])
            for place, (what, _, worker) in enumerate(workers)
        ]
    by_name: dict[str, list[list[Turn]]] = {}
    for (_, name, _), of_row in zip(workers, turns, strict=True):
        by_name.setdefault(name, []).append(of_row)
    return rows, by_name


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
        "best_x_real_time": round(max(turn.audio_s / turn.seconds for turn in turns), 2),
        "processor_ms": round(1000 * min(turn.processor_s / turn.audio_s for turn in turns), 1),
        "first_audio_ms": round(1000 * median_first(turns), 1),
        "best_first_audio_ms": round(1000 * min(turn.first_audio_s for turn in turns), 1),
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
    turns: Mapping[str, Sequence[Sequence[Turn]]], peak_mb: float, start: Mapping[str, float]
) -> list[dict[str, Any]]:
    """Returns each goal with the value that was found."""
    (ours,) = turns[OURS]
    found = []
    for name, (least_speed, most_first) in PEER_GOALS.items():
        if name not in turns:
            continue
        speed = min(map(median_rtf, turns[name])) / median_rtf(ours)
        found.append(_goal(f"speed over {name}, x", "at least", least_speed, speed))
        if most_first is not None:
            first = median_first(ours) / min(map(median_first, turns[name]))
            found.append(_goal(f"first audio over that of {name}, x", "at most", most_first, first))
    return [
        *found,
        _goal("peak memory, MB", "at most", MAX_MEMORY_MB, peak_mb),
        _goal("cold start to end of sentence, s", "at most", MAX_COLD_S, start["cold_s"]),
    ]


def _goal(what: str, bound: str, limit: float, found: float) -> dict[str, Any]:
    met = found >= limit if bound == "at least" else found <= limit
    values = {"limit": round(limit, 3), "found": round(found, 3)}
    return {"what": what, "bound": bound, **values, "met": bool(met)}


def measure(ours: Ours, peers: Sequence[Peer], repeats: int, cold_repeats: int) -> dict[str, Any]:
    """Runs all measurements."""
    rows, turns = warm(ours, peers, repeats)
    start = cold(ours, cold_repeats)
    start["warm_s"] = statistics.median(turn.seconds for turn in turns[OURS][0])
    return {
        "rows": rows,
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
    parser.add_argument("--pocket", type=Path, nargs="*", default=[], metavar="FOLDER")
    parser.add_argument("--fixed", nargs="*", default=[], metavar="NAME[=FOLDER]")
    arguments = parser.parse_args()
    if min(arguments.threads, arguments.repeats, arguments.cold_repeats) < 1:
        parser.error("--threads, --repeats and --cold-repeats are at least 1")
    keep_to_cores(arguments.threads)
    ours = Ours(**{name: getattr(arguments, name) for name in Ours._fields})
    with tempfile.TemporaryDirectory() as scratch:
        try:
            peers = find_peers(arguments.pocket, arguments.fixed, ours, Path(scratch))
        except ValueError as error:
            parser.exit(2, f"error: {error}\n")
        found = measure(ours, peers, arguments.repeats, arguments.cold_repeats)

    import torch  # late, so that a wrong argument is reported at once

    from benchmarks.lib.hardware import describe

    torch.set_num_threads(arguments.threads)
    settings = {name: getattr(arguments, name) for name in ("model", "text", "repeats")}
    load = {"load": round(os.getloadavg()[1], 1)}
    print(json.dumps({"hardware": describe(), **load, **settings, **found}, indent=2))


if __name__ == "__main__":
    main()
