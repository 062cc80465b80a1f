"""RESULTS.md: what was measured, with the command, commit, hardware and date that it belongs to."""

import datetime
import itertools
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import torch

from latentspeech.core.files import atomic_path
from latentspeech.core.train.run_config import git_commit
from latentspeech.eval.provenance import hardware


def read_table(path: Path) -> str:
    """The table that a scores.md begins with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(itertools.takewhile(lambda line: line.startswith("|"), lines)) + "\n"


def write_results(
    path: Path, command: str, runs: Sequence[str], scores: str, curves: Sequence[Path]
) -> None:
    """Writes the file anew; pictures are named relative to it."""
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    lines = [
        "# Results",
        "",
        f"- command: `{command}`",
        f"- commit: {git_commit() or 'unknown'}",
        f"- hardware: {hardware()}",
        f"- torch {torch.__version__}, Python {platform.python_version()}, {today}",
        *(f"- {run}" for run in runs),
        "",
        scores,
    ]
    lines += [f"![{curve.stem}]({os.path.relpath(curve, path.parent)})" for curve in curves]
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")
