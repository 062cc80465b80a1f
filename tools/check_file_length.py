"""Fails if a source file is longer than 500 lines, which are enough for a reader."""

import subprocess
import sys
from pathlib import Path

MAX_LINES = 500
SUFFIXES = (".py", ".sh")


def main() -> None:
    """Checks every source file that git tracks or does not ignore."""
    root = Path(__file__).parents[1]
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    paths = [root / line for line in listing.stdout.splitlines() if line.endswith(SUFFIXES)]
    lengths = {
        path: len(path.read_text(encoding="utf-8").splitlines()) for path in paths if path.is_file()
    }
    too_long = {path: length for path, length in lengths.items() if length > MAX_LINES}
    for path, length in sorted(too_long.items()):
        print(f"{path.relative_to(root)}: {length} lines, at most {MAX_LINES}; split it by concept")
    if too_long:
        sys.exit(1)
    print(f"{len(lengths)} source files, the longest has {max(lengths.values(), default=0)} lines")


if __name__ == "__main__":
    main()
