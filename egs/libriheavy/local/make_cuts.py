"""Libriheavy's manifests to cuts for training: cased text, and paths to the audio on this machine.

The manifests (one JSON cut a line) name audio as download/librilight/small/100/....flac; it is
looked for under --audio_dir as small/100/....flac. Cuts are read and written as plain JSON, since
there are 13 million. Cuts without audio or text are left out, counted, and their files listed in
missing_audio.txt. Subsets do not overlap on disk, so `medium` reads small and medium, `large` all
three. If the dev and test_clean manifests are not there, some speakers are held out instead.
"""

import argparse
import gzip
import hashlib
import itertools
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from latentspeech.core.errors import DataError
from latentspeech.core.files import atomic_path
from recipes.one_line_errors import run_recipe

logger = logging.getLogger(__name__)

Part = Literal["train", "dev", "test"]
PARTS: tuple[Part, ...] = ("train", "dev", "test")
SUBSETS = ("small", "medium", "large")
HELD_OUT = {"dev": "dev", "test": "test_clean"}
HELD_OUT_PERCENT = 2


@dataclass
class Inventory:
    """Which audio is there, asked once a file, and what was left out."""

    audio_dir: Path
    found: dict[str, bool] = field(default_factory=dict)
    num_cuts: int = 0
    num_without_audio: int = 0
    num_without_text: int = 0

    def has(self, relative: str) -> bool:
        """Whether a recording is on this machine."""
        if relative not in self.found:
            self.found[relative] = (self.audio_dir / relative).is_file()
        return self.found[relative]


def manifest_path(folder: Path, name: str) -> Path:
    """Where a manifest lies."""
    return folder / f"libriheavy_cuts_{name}.jsonl.gz"


def convert(cut: dict[str, Any], inventory: Inventory) -> dict[str, Any] | None:
    """One cut as this package reads it; None if its audio or its text is not there."""
    inventory.num_cuts += 1
    spoken, recording = cut["supervisions"][0], cut["recording"]
    texts = (spoken.get("custom") or {}).get("texts") or [""]
    text = " ".join(texts[0].split())
    source = recording["sources"][0]
    relative = source["source"].rpartition("librilight/")[2]
    if not inventory.has(relative):
        inventory.num_without_audio += 1
        return None
    if not text:
        inventory.num_without_text += 1
        return None
    source = {**source, "source": str(inventory.audio_dir / relative)}
    kept = ("id", "recording_id", "start", "duration", "channel", "language", "speaker")
    supervision = {key: spoken[key] for key in kept if key in spoken} | {"text": text}
    return {
        **{key: cut[key] for key in ("id", "start", "duration", "channel")},
        "supervisions": [supervision],
        "recording": {**recording, "sources": [source]},
        "type": "MonoCut",
    }


def read_manifest(path: Path, inventory: Inventory) -> Iterator[dict[str, Any]]:
    """The usable cuts of a manifest."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                cut = convert(json.loads(line), inventory)
            except (KeyError, IndexError, TypeError, json.JSONDecodeError) as error:
                raise DataError(
                    f"{path} line {number} is not a Libriheavy cut ({error!r}); download it again"
                ) from None
            if cut is not None:
                yield cut


def part_of(speaker: str) -> Part:
    """Where a speaker belongs when there are no dev and test manifests."""
    place = int(hashlib.sha256(speaker.encode()).hexdigest()[:8], 16) % 100
    if place < HELD_OUT_PERCENT:
        return "dev"
    return "test" if place < 2 * HELD_OUT_PERCENT else "train"


def make_cuts(inventory: Inventory, folder: Path, subset: str, out: Path, max_cuts: int) -> None:
    """Writes cuts_{train,dev,test}.jsonl.gz into `out`; `max_cuts` of a manifest, 0 for all."""
    names = SUBSETS[: SUBSETS.index(subset) + 1]
    missing = [manifest_path(folder, name) for name in names]
    missing = [path for path in missing if not path.is_file()]
    if missing or not inventory.audio_dir.is_dir():
        absent = missing[0] if missing else inventory.audio_dir
        raise DataError(
            f"Libriheavy is not complete: {absent} does not exist. Expected the manifests "
            f"{', '.join(manifest_path(folder, name).name for name in names)} in --manifest_dir, "
            "and Libri-Light audio (small/, medium/, large/) in --audio_dir; "
            "egs/libriheavy/README.md says where both are published; egs/mini needs no download"
        )
    official = all(manifest_path(folder, name).is_file() for name in HELD_OUT.values())
    sources = [("train", name) for name in names] + (list(HELD_OUT.items()) if official else [])
    counts: dict[str, int] = dict.fromkeys(PARTS, 0)
    with (
        atomic_path(out / "cuts_train.jsonl.gz") as train,
        atomic_path(out / "cuts_dev.jsonl.gz") as dev,
        atomic_path(out / "cuts_test.jsonl.gz") as test,
    ):
        with (
            gzip.open(train, "wt", encoding="utf-8", compresslevel=4) as train_file,
            gzip.open(dev, "wt", encoding="utf-8") as dev_file,
            gzip.open(test, "wt", encoding="utf-8") as test_file,
        ):
            files = {"train": train_file, "dev": dev_file, "test": test_file}
            for default, name in sources:
                cuts = read_manifest(manifest_path(folder, name), inventory)
                for cut in itertools.islice(cuts, max_cuts or None):
                    part = default if official else part_of(cut["supervisions"][0]["speaker"])
                    files[part].write(json.dumps(cut, ensure_ascii=False) + "\n")
                    counts[part] += 1
        report(inventory, counts, out)


def report(inventory: Inventory, counts: dict[str, int], out: Path) -> None:
    """Says what was kept and lists what is missing; DataError if a part would be empty."""
    lost = sorted(name for name, there in inventory.found.items() if not there)
    with atomic_path(out / "missing_audio.txt") as path:
        path.write_text("".join(f"{name}\n" for name in lost), encoding="utf-8")
    logger.info(
        "%d cuts read; kept train %d, dev %d, test %d; without audio %d (%d files, listed in %s), "
        "without text %d",
        inventory.num_cuts,
        *counts.values(),
        inventory.num_without_audio,
        len(lost),
        out / "missing_audio.txt",
        inventory.num_without_text,
    )
    empty = [part for part, count in counts.items() if count == 0]
    if empty:
        raise DataError(
            f"no cuts for {', '.join(empty)}: {inventory.num_without_audio} of "
            f"{inventory.num_cuts} cuts have no audio under {inventory.audio_dir} "
            f"(first: {lost[0] if lost else 'none missing'}); "
            "unpack the Libri-Light tars there or correct --audio_dir"
        )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audio_dir", type=Path, required=True)
    parser.add_argument("--manifest_dir", type=Path, required=True)
    parser.add_argument("--subset", choices=SUBSETS, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--max_cuts", type=int, default=0, help="of each manifest; 0 for all")
    arguments = parser.parse_args()
    inventory = Inventory(arguments.audio_dir)
    make_cuts(
        inventory, arguments.manifest_dir, arguments.subset, arguments.out, arguments.max_cuts
    )


if __name__ == "__main__":
    run_recipe(main)
