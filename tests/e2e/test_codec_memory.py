"""`codec stream` runs for hours in bounded memory, as a process of its own."""

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import pytest

from tests.tiny_models import voice_like

pytestmark = pytest.mark.slow

RATE, SAMPLE_BYTES = 24_000, 2
MAX_BYTES = 300e6  # both networks in float32 (60 MB), their making, numpy and ONNX Runtime
# A process's peak starts from that of its parent, so a small one stands between the two.
WRAPPER = """
import pathlib, resource, subprocess, sys
code = subprocess.call(sys.argv[2:])
peak_kb = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
pathlib.Path(sys.argv[1]).write_text(str(peak_kb))
sys.exit(code)
"""


@dataclass(frozen=True)
class StreamRun:
    """What came of a stream."""

    out_samples: int
    loudest: int
    peak_bytes: int
    resident_bytes: list[int]  # at the marks


class Reader(threading.Thread):
    """Takes what comes, and lets others wait for a number of bytes."""

    def __init__(self, pipe: IO[bytes]) -> None:
        super().__init__(daemon=True)
        self._pipe, self._changed = pipe, threading.Condition()
        self.count, self.loudest, self.ended = 0, 0, False

    def run(self) -> None:
        while data := os.read(self._pipe.fileno(), 1 << 16):
            high = max(data[1::2], default=0)  # the upper byte of a sample, whatever its sign
            with self._changed:
                self.count += len(data)
                self.loudest = max(self.loudest, high)
                self._changed.notify_all()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def wait_for(self, count: int) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.count >= count or self.ended)


def memory_bytes(pid: int) -> int:
    """What the only child of `pid` holds."""
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    lines = Path(f"/proc/{child}/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return 1024 * int(line.split()[1])


def roundtrip(folder: Path, seconds: int, marks: tuple[int, ...]) -> StreamRun:
    """`seconds` of audio through the stream; the memory when `marks` seconds have come out."""
    peak = folder / "peak_kb"
    command = [sys.executable, "-m", "latentspeech.cli.main", "codec", "stream", "roundtrip"]
    process = subprocess.Popen(
        [sys.executable, "-c", WRAPPER, str(peak), *command, "--model", "codec"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert process.stdin is not None
    assert process.stdout is not None
    reader = Reader(process.stdout)
    reader.start()
    speech = (voice_like(10.0) * 32767).short().numpy().tobytes()
    second = RATE * SAMPLE_BYTES
    resident = []
    for number in range(seconds):
        start = number % 10 * second
        process.stdin.write(speech[start : start + second])
        if number + 1 in marks:
            process.stdin.flush()
            reader.wait_for(max(1, number) * second)  # the last one may still be under way
            resident.append(memory_bytes(process.pid))
    process.stdin.close()
    assert process.wait() == 0
    reader.join()
    peak_bytes = 1024 * int(peak.read_text())
    return StreamRun(reader.count // SAMPLE_BYTES, reader.loudest, peak_bytes, resident)


def test_four_minutes_take_no_more_memory_than_one(tmp_path: Path) -> None:
    run = roundtrip(tmp_path, 240, marks=(60, 240))
    assert run.out_samples == 240 * RATE
    assert run.loudest > 0
    assert run.peak_bytes < MAX_BYTES
    after_one, after_four = run.resident_bytes
    # These three minutes are 8.6 MB of samples in and as much out; keeping either would show.
    assert after_four - after_one < 8e6
