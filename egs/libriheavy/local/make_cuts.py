"""Turns Libriheavy's manifests into cuts: cased text, and paths to the audio on this machine.

The manifests (one JSON cut a line) name audio as download/librilight/small/100/....flac; it is
looked for under --audio_dir as small/100/....flac. Cuts are read and written one by one as plain
JSON, since there are 13 million: memory grows with audio files and speakers, not with cuts. Subsets
do not overlap on disk, so `medium` reads small and medium, `large` all three.

Cuts without audio or text are left out, counted, and their files listed in missing_audio.txt; with
--check_audio so are files that break off, in damaged_audio.txt. The dev and test_clean manifests
are the test sets; where one, or all of its audio, is not there, some speakers of the training are
held out in its place, and a speaker of dev or test is never in train. corpus.json counts it all.
"""

import argparse
import gzip
import hashlib
import io
import itertools
import json
import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TextIO

import soundfile

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import atomic_path, remove_leftovers, write_json

logger = logging.getLogger(__name__)

Part = Literal["train", "dev", "test"]
PARTS: tuple[Part, ...] = ("train", "dev", "test")
SUBSETS = ("small", "medium", "large")
HELD_OUT: dict[Part, str] = {"dev": "dev", "test": "test_clean"}
HELD_OUT_PERCENT = 2
PROGRESS_EVERY = 1_000_000


@dataclass
class Inventory:
    """Which audio is there and whole, asked once a file, and what was left out."""

    audio_dir: Path
    check_audio: bool = False
    found: dict[str, bool] = field(default_factory=dict)
    damaged: dict[str, str] = field(default_factory=dict)  # file: what is wrong with it
    num_cuts: int = 0
    num_without_audio: int = 0
    num_without_text: int = 0

    def has(self, relative: str, num_samples: int) -> bool:
        """Whether a recording is on this machine and, if asked, has all samples of the manifest."""
        if relative not in self.found:
            path = self.audio_dir / relative
            self.found[relative] = path.is_file()
            if self.found[relative] and self.check_audio:
                defect = find_defect(path, num_samples)
                if defect:
                    self.damaged[relative] = defect
                    self.found[relative] = False
        return self.found[relative]


@dataclass
class PartCount:
    """What a part has got; `source` says where its cuts come from."""

    source: str
    cuts: int = 0
    seconds: float = 0.0
    speakers: set[str] = field(default_factory=set)

    def add(self, cut: dict[str, Any]) -> None:
        """Counts a cut."""
        self.cuts += 1
        self.seconds += cut["duration"]
        self.speakers.add(cut["supervisions"][0]["speaker"])

    def summary(self) -> dict[str, Any]:
        """For corpus.json."""
        hours = round(self.seconds / 3600, 3)
        speakers = len(self.speakers)
        return {"from": self.source, "cuts": self.cuts, "hours": hours, "speakers": speakers}


def find_defect(path: Path, num_samples: int) -> str:
    """What is wrong with a recording, told by its header and its last sample; empty if nothing."""
    try:
        with soundfile.SoundFile(path) as file:
            if file.frames < num_samples:
                return f"{file.frames} of {num_samples} samples"
            file.seek(file.frames - 1)
            return "" if len(file.read(1)) else "its end cannot be decoded"
    except (soundfile.SoundFileError, OSError) as error:
        return " ".join(str(error).split())


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
    if not inventory.has(relative, recording["num_samples"]):
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
    check_complete(inventory.audio_dir, folder, names)
    remove_leftovers(out)  # of a run that was killed
    counts = {part: PartCount(", ".join(names)) for part in PARTS}
    with ExitStack() as stack:
        files = {part: _open_cuts(stack, out / f"cuts_{part}.jsonl.gz") for part in PARTS}
        for part, name in HELD_OUT.items():
            counts[part].source = name
            for cut in _read(folder, name, inventory, max_cuts):
                counts[part].add(cut)
                files[part].write(json.dumps(cut, ensure_ascii=False) + "\n")
        to_hold_out = [part for part in HELD_OUT if counts[part].cuts == 0]
        for part in to_hold_out:
            counts[part].source = f"{HELD_OUT_PERCENT}% of the speakers of {', '.join(names)}"
            logger.info(
                "%s has no usable cut of %s; its cuts are those of %s, left out of the training",
                part,
                manifest_path(folder, HELD_OUT[part]).name,
                counts[part].source,
            )
        published = counts["dev"].speakers | counts["test"].speakers
        num_shared = 0
        for cut in itertools.chain.from_iterable(
            _read(folder, name, inventory, max_cuts) for name in names
        ):
            speaker = cut["supervisions"][0]["speaker"]
            if speaker in published:
                num_shared += 1
                continue
            wanted = part_of(speaker)
            part = wanted if wanted in to_hold_out else "train"
            counts[part].add(cut)
            files[part].write(json.dumps(cut, ensure_ascii=False) + "\n")
        report(inventory, counts, num_shared, out)


def check_complete(audio_dir: Path, folder: Path, names: tuple[str, ...]) -> None:
    """DataError naming the first manifest that is not there, or the audio folder."""
    missing = [manifest_path(folder, name) for name in names]
    missing = [path for path in missing if not path.is_file()]
    if missing or not audio_dir.is_dir():
        absent = missing[0] if missing else audio_dir
        raise DataError(
            f"Libriheavy is not complete: {absent} does not exist. Expected the manifests "
            f"{', '.join(manifest_path(folder, name).name for name in names)} in --manifest_dir, "
            "and Libri-Light audio (small/, medium/, large/) in --audio_dir; "
            "egs/libriheavy/README.md says where both are published; egs/mini needs no download"
        )


def _read(folder: Path, name: str, inventory: Inventory, max_cuts: int) -> Iterator[dict[str, Any]]:
    """Usable cuts of a manifest, none if it is not there."""
    path = manifest_path(folder, name)
    if path.is_file():
        for number, cut in enumerate(
            itertools.islice(read_manifest(path, inventory), max_cuts or None), start=1
        ):
            yield cut
            if number % PROGRESS_EVERY == 0:
                logger.info("%s: %d cuts kept", name, number)


def _open_cuts(stack: ExitStack, path: Path) -> TextIO:
    temporary = stack.enter_context(atomic_path(path))
    raw = stack.enter_context(temporary.open("wb"))
    # Without name and time: the same cuts are the same bytes, so nothing after them runs again.
    packed = gzip.GzipFile("", "wb", compresslevel=4, fileobj=raw, mtime=0)
    return stack.enter_context(io.TextIOWrapper(packed, encoding="utf-8"))


def report(inventory: Inventory, counts: dict[Part, PartCount], num_shared: int, out: Path) -> None:
    """Says what was kept and lists what is missing; DataError if a part would be empty."""
    damaged = inventory.damaged
    lost = sorted(name for name, there in inventory.found.items() if not there)
    lost = [name for name in lost if name not in damaged]
    lines = {
        "missing_audio.txt": [f"{name}\n" for name in lost],
        "damaged_audio.txt": [f"{name}: {why}\n" for name, why in sorted(damaged.items())],
    }
    for name, content in lines.items():
        with atomic_path(out / name) as path:
            path.write_text("".join(content), encoding="utf-8")
    summary = {
        "parts": {part: count.summary() for part, count in counts.items()},
        "cuts_read": inventory.num_cuts,
        "cuts_without_audio": inventory.num_without_audio,
        "cuts_without_text": inventory.num_without_text,
        "cuts_of_held_out_speakers": num_shared,
        "files_missing": len(lost),
        "files_damaged": len(damaged),
        "audio_checked": inventory.check_audio,
    }
    write_json(out / "corpus.json", summary)
    logger.info(
        "%d cuts read; kept %s; without audio %d (%d files missing, %d damaged, listed in %s), "
        "without text %d, of speakers held out %d",
        inventory.num_cuts,
        ", ".join(f"{part} {c.cuts} ({c.seconds / 3600:.1f} h)" for part, c in counts.items()),
        inventory.num_without_audio,
        len(lost),
        len(damaged),
        out,
        inventory.num_without_text,
        num_shared,
    )
    empty = [part for part, count in counts.items() if count.cuts == 0]
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
    parser.add_argument("--check_audio", action="store_true", help="read the end of every file")
    parser.add_argument("--max_cuts", type=int, default=0, help="of each manifest; 0 for all")
    arguments = parser.parse_args()
    inventory = Inventory(arguments.audio_dir, arguments.check_audio)
    make_cuts(
        inventory, arguments.manifest_dir, arguments.subset, arguments.out, arguments.max_cuts
    )


if __name__ == "__main__":
    run_recipe(main)
