"""Runs pieces of the recipes' shell code as a user's shell would."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]


def run_bash(
    script: str, *arguments: str, timeout_s: float = 60, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`script` with arguments, the interpreter of this test first on PATH."""
    # A virtual environment is named, so that recipes do not look for one of their own.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-c", f"set -euo pipefail\n{script}", "bash", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix, **environment},
        timeout=timeout_s,
        check=False,
    )
