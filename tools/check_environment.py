"""Checks whether this machine can run the recipes, and says what to install. Needs no packages."""

import argparse
import importlib.metadata
import os
import re
import shutil
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The recipes cannot start without these; a scorer reports itself what it lacks.
REQUIRED_EXTRAS = ("train",)
WANTED_EXTRAS = ("eval",)
PROGRAMS = {"espeak-ng": "espeak-ng", "flock": "util-linux", "git": "git"}
MIN_FREE_GB = 2.0


def packages_of(extras: tuple[str, ...]) -> list[str]:
    """Returns the distributions of these extras; "" means the package's own dependencies."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = {"": project["dependencies"], **project["optional-dependencies"]}
    lines = [line for extra in extras for line in groups[extra]]
    return [re.split(r"[<>=!~ \[;]", line, maxsplit=1)[0] for line in lines]


def tested_versions() -> dict[str, str]:
    """Returns {name: version} of constraints.txt."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if "==" in line and not line.startswith("#"))
    return {normal_name(name): version for name, version in pairs}


def normal_name(name: str) -> str:
    """Returns the form in which PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


def installed_version(name: str) -> str | None:
    """Returns the version without local parts such as +cu130; None if it is not installed."""
    try:
        return importlib.metadata.version(name).partition("+")[0]
    except importlib.metadata.PackageNotFoundError:
        return None


def package_problems() -> Iterator[str]:
    """Yields a problem if required packages are not installed."""
    missing = [n for n in packages_of(("", *REQUIRED_EXTRAS)) if installed_version(n) is None]
    if missing:
        yield f"Python packages missing in {sys.prefix}: {', '.join(missing)}; run `make setup`"


def package_notes() -> Iterator[str]:
    """Yields notes on packages of other than the tested versions, and on missing ones."""
    tested = tested_versions()
    for name in packages_of(("", *REQUIRED_EXTRAS, *WANTED_EXTRAS)):
        found, wanted = installed_version(name), tested.get(normal_name(name))
        if found is None:
            yield f"{name} is not installed; `make setup` installs it"
        elif wanted is not None and found != wanted:
            yield f"{name} is {found}; tested with {wanted}"


def disk_problems(folders: list[Path]) -> Iterator[str]:
    """Yields a problem for each folder of results whose disk has too little space."""
    for folder in folders:
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free_gb = shutil.disk_usage(existing).free / 1e9
        if free_gb < MIN_FREE_GB:
            yield f"{folder}: {free_gb:.1f} GB free; expected {MIN_FREE_GB:g} GB: free some space"


def gpu_problems(ngpu: int) -> Iterator[str]:
    """Yields a problem if there are fewer GPUs than asked for."""
    import torch

    found = torch.cuda.device_count()
    if found < ngpu:
        yield f"--ngpu is {ngpu}, this machine has {found} CUDA GPUs; use --ngpu {found}"


def main() -> None:
    """Prints a summary, or the problems with exit code 2."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quiet", action="store_true", help="print problems only")
    parser.add_argument("--ngpu", type=int, default=0)
    parser.add_argument("--folder", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    problems = list(package_problems())
    if not problems and arguments.ngpu:
        problems += gpu_problems(arguments.ngpu)
    for program, package in PROGRAMS.items():
        if shutil.which(program) is None:
            problems.append(f"program {program} not found; run: apt-get install {package}")
    problems += disk_problems(arguments.folder)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if problems:
        sys.exit(2)
    if not arguments.quiet:
        for note in package_notes():
            print(f"note: {note}", file=sys.stderr)
        memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
        print(
            f"Python {sys.version.split()[0]}, torch {importlib.metadata.version('torch')}, "
            f"{os.cpu_count()} cores, {memory_gb:.0f} GB memory: ready"
        )


if __name__ == "__main__":
    main()
