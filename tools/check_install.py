"""Builds the package, installs it into an empty environment and speaks there.

    python tools/check_install.py [--python python3.12] [--keep FOLDER]

It prints a JSON object: seconds from the empty environment to the first sentence, the size of what
was added to it, and of later sentences the seconds and the peak of memory. It fails if the package
cannot be built or speak, if torch was installed, or if the installation exceeds its limit. Needs
pip and, where its cache is cold, a network; no packages.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MOST_MB = 250
TEXT = "The tide comes in at six, and by noon the boats are gone, and nobody asks where they went."
BUILD = "import setuptools.build_meta as b, sys; print(b.build_sdist(sys.argv[1]))"


def run(*command: object, folder: Path = ROOT) -> str:
    """Runs a command and returns its output; its errors end the program."""
    words = [str(word) for word in command]
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    result = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"error: {' '.join(words)} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def build(folder: Path) -> Path:
    """Builds sdist and wheel from a copy of the sources; returns the wheel's path."""
    sources = folder / "sources"
    run("git", "clone", "-q", "--shared", ROOT, sources)
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, sources)
    run(sys.executable, "-c", BUILD, folder, folder=sources)
    (wheel,) = folder.glob("latentspeech-*.whl")
    (sdist,) = folder.glob("latentspeech-*.tar.gz")
    run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder / "again", sdist)
    (again,) = (folder / "again").glob("*.whl")
    if abs(again.stat().st_size - wheel.stat().st_size) > 0.01 * wheel.stat().st_size:
        sys.exit(
            f"error: the wheel built from the sdist has {again.stat().st_size} bytes, that of "
            f"the sources {wheel.stat().st_size}; expected the same files in both"
        )
    return wheel


def installed_mb(environment: Path) -> float:
    """The size of all files of an environment."""
    files = (path for path in environment.rglob("*") if path.is_file() and not path.is_symlink())
    return sum(path.stat().st_size for path in files) / 1e6


def main() -> None:
    """Runs the check and prints what it measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable, help="interpreter to install under")
    parser.add_argument("--keep", type=Path, help="existing folder for the environment")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wheel = build(folder)
        environment = (options.keep or folder) / "environment"
        start = time.perf_counter()
        run(options.python, "-m", "venv", environment)
        empty_mb = installed_mb(environment)
        python, command = environment / "bin/python", environment / "bin/latentspeech"
        run(python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel)
        installed = time.perf_counter()
        speak = (command, "synth", "--voice", "heart", "--quiet", "--text", TEXT, "--out")
        run(*speak, folder / "first.wav", folder=folder)
        spoken = time.perf_counter()
        run(*speak, folder / "second.wav", folder=folder)
        second_s = time.perf_counter() - spoken
        packages = json.loads(run(python, "-m", "pip", "list", "--format", "json"))
        names = sorted(package["name"] for package in packages)
        size_mb = installed_mb(environment) - empty_mb
        peak = json.loads(run(python, "-c", PEAK, *speak, folder / "third.wav", folder=folder))
    values = {
        "python": run(options.python, "--version").strip(),
        "install_s": round(installed - start, 1),
        "install_to_first_sentence_s": round(spoken - start, 1),
        "installed_mb": round(size_mb),
        "cold_start_to_end_s": round(second_s, 2),
        **peak,
        "packages": names,
    }
    print(json.dumps(values, indent=1))
    if {"torch", "torchaudio", "onnx"} & set(names):
        sys.exit("error: torch or onnx was installed; expected a base install without them")
    if size_mb > MOST_MB:
        sys.exit(f"error: {size_mb:.0f} MB were installed; expected at most {MOST_MB}")


PEAK = """
import json, resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
cpu_s = usage.ru_utime + usage.ru_stime
print(json.dumps({"peak_mb": round(usage.ru_maxrss * 1024 / 1e6), "cpu_s": round(cpu_s, 2)}))
"""


if __name__ == "__main__":
    main()
