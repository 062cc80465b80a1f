"""RESULTS.md: what was measured, with the command, commit, hardware and date that it belongs to.

Other programs may add sections to the file, each between two marks with its name. Writing the file
or one section leaves the other sections, and their order, as they are.
"""

import datetime
import itertools
import os
import platform
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from latentspeech.core.storage.files import atomic_path
from latentspeech.core.storage.provenance import git_commit, hardware


def read_table(path: Path) -> str:
    """The table that a scores.md begins with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(itertools.takewhile(lambda line: line.startswith("|"), lines)) + "\n"


def this_command(module: str) -> str:
    """The command that repeats this call of the program `module`."""
    return shlex.join(["python", "-m", module, *sys.argv[1:]])


def provenance_lines(command: str, runs: Sequence[str], commit: str | None = None) -> list[str]:
    """Lines that every result needs; `commit` is by default that of the running source."""
    today = datetime.datetime.now(tz=datetime.UTC).date().isoformat()
    return [
        f"- command: `{command}`",
        f"- commit: {commit or git_commit() or 'unknown'}",
        f"- hardware: {hardware()}",
        f"- torch {torch.__version__}, Python {platform.python_version()}, {today}",
        *(f"- {run}" for run in runs),
    ]


def write_results(
    path: Path, command: str, runs: Sequence[str], scores: str, curves: Sequence[Path]
) -> None:
    """Writes the file and keeps its marked sections; pictures are linked relative to it."""
    lines = ["# Results", "", *provenance_lines(command, runs), "", scores]
    lines += [f"![{curve.stem}]({os.path.relpath(curve, path.parent)})" for curve in curves]
    _write(path, ["\n".join(lines).rstrip() + "\n", *_sections(_read(path)).values()])


def write_section(path: Path, name: str, text: str) -> None:
    """Replaces the section of that name, or adds it at the end of the file."""
    section = f"<!-- begin: {name} -->\n{text.strip()}\n<!-- end: {name} -->\n"
    before = _read(path) or "# Results\n"
    old = _sections(before).get(name)
    if old is None:
        _write(path, [before, section])
    else:
        _write(path, [before.replace(old, section)])


def _sections(text: str) -> dict[str, str]:
    """Name -> marked section, marks included."""
    found = re.finditer(
        r"^<!-- begin: (?P<name>[^\n]*) -->\n.*?^<!-- end: (?P=name) -->\n",
        text,
        re.MULTILINE | re.DOTALL,
    )
    return {match["name"]: match[0] for match in found}


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _write(path: Path, parts: Sequence[str]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("\n".join(part.rstrip() + "\n" for part in parts), encoding="utf-8")
