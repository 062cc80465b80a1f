"""The origin of a result: source, command, date, machine, versions, time and memory."""

import datetime
import importlib.metadata
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def git_commit() -> str:
    """The commit of the running source, with "-dirty" if it was edited; empty outside git."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    try:
        result = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""


def describe_run(
    seconds: float, jobs: int, distributions: Sequence[str], command: Sequence[str] | None = None
) -> dict[str, Any]:
    """Returns the facts about this run that `EvalReport.run` holds.

    Args:
        seconds: the time that the run took.
        jobs: the number of its processes.
        distributions: packages whose versions matter for the result; installed ones are reported.
        command: the words of the command line; None: sys.argv.
    """
    import torch

    words = list(sys.argv if command is None else command)
    now = datetime.datetime.now(tz=datetime.UTC)
    return {
        "command": shlex.join([_program(words[0]), *words[1:]]) if words else "",
        "commit": git_commit() or "unknown",
        "date": now.isoformat(timespec="seconds"),
        "hardware": hardware(),
        "versions": {"python": platform.python_version(), **installed_versions(distributions)},
        "jobs": jobs,
        "threads": torch.get_num_threads(),
        "seconds": round(seconds, 1),
        "peak_memory_bytes": peak_memory_bytes(jobs),
    }


def _program(path: str) -> str:
    """The program's name as a user types it; `<package>/cli/main.py` is the command `<package>`."""
    name = Path(path)
    return name.parts[-3] if name.parts[-2:] == ("cli", "main.py") else name.name


def hardware() -> str:
    """Processor, cores and GPUs of this machine, as the operating system names them."""
    import torch

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
    """The largest resident size of this process; with workers, an upper bound for all together.

    The system reports only the largest of the ended workers, so we multiply it by their number.
    """
    import resource  # only Unix has it, and other functions of this file work without it

    unit = 1 if sys.platform == "darwin" else 1024
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    workers = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if jobs > 1 else 0
    return unit * (own + jobs * workers if jobs > 1 else own)


def installed_versions(distributions: Sequence[str]) -> dict[str, str]:
    """The versions of those of these distributions that are installed."""
    found = {}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found
