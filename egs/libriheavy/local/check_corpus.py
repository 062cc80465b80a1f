"""Checks that Libriheavy is there: manifests, folders of audio, and room for what the stages write.

It names every problem at once, each with what to do, and ends with code 2 if there is any. The
bytes that a subset needs come from plan.py; what was written before counts as room.
"""

import argparse
import logging
import shutil
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

from egs.libriheavy.local.make_cuts import HELD_OUT, SUBSETS, manifest_path
from egs.libriheavy.local.plan import amount, bytes_needed
from latentspeech.core.command import run_recipe

logger = logging.getLogger(__name__)

# A corpus of this size is Libri-Light and not a trial; below it the debug sizes are met.
DEBUG_BYTES = 1e9


def corpus_problems(manifest_dir: Path, audio_dir: Path, subset: str) -> Iterator[str]:
    """Parts of the corpus that are missing."""
    for name in SUBSETS[: SUBSETS.index(subset) + 1]:
        path = manifest_path(manifest_dir, name)
        if not path.is_file():
            yield f"no manifest {path}; download it from the data set pkufool/libriheavy"
        if not (audio_dir / name).is_dir():
            yield f"no audio {audio_dir / name}/; unpack {name}.tar of Libri-Light in {audio_dir}"


def corpus_notes(manifest_dir: Path) -> Iterator[str]:
    """Missing parts that the stages can do without."""
    for part, name in HELD_OUT.items():
        path = manifest_path(manifest_dir, name)
        if not path.is_file():
            yield f"no {path.name}: some speakers of the training become {part}"


def disk_problems(needs: Mapping[Path, Mapping[str, float]]) -> Iterator[str]:
    """Disks that cannot hold what is to be written; folders on one disk are added up."""
    by_disk: dict[int, list[Path]] = defaultdict(list)
    for folder in needs:
        by_disk[_existing(folder).stat().st_dev].append(folder)
    for folders in by_disk.values():
        wanted = sum(sum(needs[folder].values()) for folder in folders)
        there = sum(_size(folder) for folder in folders)
        free = shutil.disk_usage(_existing(folders[0])).free
        parts = [f"{what} {amount(size)}" for f in folders for what, size in needs[f].items()]
        places = " and ".join(map(str, folders))
        told = f"{places}: needs {amount(wanted)} ({', '.join(parts)}), {amount(free)} free"
        if there:
            told += f", {amount(there)} written before"
        if wanted > free + there:
            yield f"{told}; free some space, or give --exp_dir and --data_dir on another disk"
        else:
            logger.info("%s", told)


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("audio_dir", "manifest_dir", "exp_dir", "data_dir"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--subset", choices=SUBSETS, required=True)
    parser.add_argument("--reduction", type=int, required=True)
    parser.add_argument("--debug", action="store_true")
    arguments = parser.parse_args()
    needs: dict[Path, Mapping[str, float]] = {
        getattr(arguments, name): {"toy models": DEBUG_BYTES} if arguments.debug else parts
        for name, parts in bytes_needed(arguments.subset, arguments.reduction).items()
    }
    problems = [
        *corpus_problems(arguments.manifest_dir, arguments.audio_dir, arguments.subset),
        *disk_problems(needs),
    ]
    for note in corpus_notes(arguments.manifest_dir):
        logger.info("note: %s", note)
    for problem in problems:
        print(f"error: {problem}", file=sys.stderr)
    if problems:
        sys.exit(2)


if __name__ == "__main__":
    run_recipe(main)
