"""Cuts for codec training out of several corpora, each with its weight (paper, H.5.1).

    --mix dns4=DIR:0.3,common_voice=DIR:0.3,fsd50k=DIR:0.1

The paper names DNS4, Common Voice 7, FSD50K, AudioSet, MUSDB and MTG-Jamendo and prints no weights.
A corpus's weight is its share of the segments that training sees: it draws every cut equally often,
so files are cut into pieces of at most --piece_s and each corpus is listed as often as its weight
asks, repeated if it is small, thinned out by a hash of its pieces if it is large. A file that is
missing or breaks off is named in cuts_codec_left_out.txt, counted, and left out.

cuts_codec_dev.jsonl.gz, for validation, are the speech cuts of --valid_cuts.
"""

import argparse
import gzip
import hashlib
import importlib
import io
import json
import logging
import math
import shutil
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import soundfile

from egs.libriheavy.local.codec_mix.clip import Clip
from latentspeech.audio.completeness import find_defect
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.storage.files import atomic_path, write_json

logger = logging.getLogger(__name__)

CORPORA = ("dns4", "common_voice", "fsd50k", "audioset", "musdb18", "jamendo")
MIN_PIECE_S = 0.5


@dataclass(frozen=True)
class Part:
    """One corpus of a mix."""

    corpus: str
    folder: Path
    weight: float


@dataclass(frozen=True)
class Piece:
    """A part of a file, at most --piece_s long."""

    id: str
    path: Path
    start_s: float
    duration_s: float
    rate: int
    num_samples: int  # of the whole file


@dataclass
class Listed:
    """The pieces of a corpus, and its files that cannot be used with the reason."""

    part: Part
    pieces: list[Piece] = field(default_factory=list)
    left_out: dict[str, str] = field(default_factory=dict)


def parse_mix(text: str) -> list[Part]:
    """NAME=DIR:WEIGHT with commas; ConfigError for what cannot be."""
    parts: list[Part] = []
    for item in text.split(","):
        name, _, rest = item.strip().partition("=")
        folder, _, weight = rest.rpartition(":")
        try:
            value = float(weight)
        except ValueError:
            value = math.nan
        if name not in CORPORA or not folder or not 0 < value < math.inf:
            raise ConfigError(
                f"--codec_mix: {item.strip()!r}; expected NAME=DIR:WEIGHT with a weight above 0 "
                f"and a name of {', '.join(CORPORA)}"
            )
        if name in (part.corpus for part in parts):
            raise ConfigError(f"--codec_mix names {name} twice; give it one weight")
        parts.append(Part(name, Path(folder), value))
    return parts


def list_corpus(part: Part, piece_s: float, num_threads: int = 8) -> Listed:
    """Looks into every file of the corpus: its header and its end."""
    if not part.folder.is_dir():
        raise DataError(f"{part.corpus}: {part.folder} is no folder; give the corpus's own")
    listed = Listed(part)
    corpus = importlib.import_module(f"egs.libriheavy.local.codec_mix.{part.corpus}")
    clips: Iterator[Clip] = corpus.clips(part.folder)
    with ThreadPoolExecutor(num_threads) as pool:
        for clip, found in pool.map(lambda clip: (clip, _look(clip, piece_s)), clips):
            if isinstance(found, str):
                listed.left_out[str(clip.path)] = found
            else:
                listed.pieces += found
    if not listed.pieces:
        first = next(iter(listed.left_out.items()), ("none listed", "the tables are empty"))
        raise DataError(
            f"{part.corpus}: no usable file in {part.folder} ({first[0]}: {first[1]}); unpack the "
            "corpus there, or leave it out of --codec_mix"
        )
    return listed


def _look(clip: Clip, piece_s: float) -> list[Piece] | str:
    """The clip's pieces, or why there are none."""
    if not clip.path.is_file():
        return "missing"
    try:
        if (defect := find_defect(clip.path)) is not None:
            return defect
        with soundfile.SoundFile(clip.path) as file:
            frames, rate = file.frames, file.samplerate
            if frames < MIN_PIECE_S * rate:
                return f"{frames} samples; expected {MIN_PIECE_S:g} s or more"
            file.seek(frames - 1)
            if file.format != "MP3" and len(file.read(1)) == 0:
                return "its end cannot be decoded"
    except (soundfile.SoundFileError, OSError) as error:
        return " ".join(str(error).split())
    count = math.ceil(frames / rate / piece_s)
    length_s = frames / rate / count
    return [
        Piece(f"{clip.id}/{number}", clip.path, number * length_s, length_s, rate, frames)
        for number in range(count)
    ]


def choose(listed: Sequence[Listed], max_cuts: int) -> dict[str, int]:
    """How many cuts of each corpus: its share of a list that has every piece once or more.

    Where that were longer than `max_cuts`, it is its share of so many, and at least one.
    """
    total = sum(item.part.weight for item in listed)
    needed = max(len(item.pieces) * total / item.part.weight for item in listed)
    num_cuts = min(round(needed), max_cuts)
    return {item.part.corpus: max(1, round(num_cuts * item.part.weight / total)) for item in listed}


def take(item: Listed, count: int) -> Iterator[tuple[str, Piece]]:
    """`count` pieces with their cut ids: all of them as often as they fit, then some by hash."""
    rounds, rest = divmod(count, len(item.pieces))
    for number in range(rounds):
        for piece in item.pieces:
            yield _cut_id(item, piece, number), piece
    ranked = sorted(item.pieces, key=lambda piece: hashlib.sha256(piece.id.encode()).digest())
    for piece in ranked[:rest]:
        yield _cut_id(item, piece, rounds), piece


def _cut_id(item: Listed, piece: Piece, number: int) -> str:
    name = f"{item.part.corpus}/{piece.id}"
    return f"{name}/again{number}" if number else name


def cut_of(name: str, piece: Piece, part: Part) -> dict[str, Any]:
    """The lhotse cut of a piece; its corpus and weight are in `custom`."""
    recording = {
        "id": str(piece.path),
        "sources": [{"type": "file", "channels": [0], "source": str(piece.path.resolve())}],
        "sampling_rate": piece.rate,
        "num_samples": piece.num_samples,
        "duration": round(piece.num_samples / piece.rate, 8),
        "channel_ids": [0],
    }
    return {
        "id": name,
        "start": round(piece.start_s, 8),
        "duration": round(piece.duration_s, 8),
        "channel": 0,
        "supervisions": [],
        "recording": recording,
        "custom": {"corpus": part.corpus, "weight": part.weight},
        "type": "MonoCut",
    }


def write_mix(listed: Sequence[Listed], counts: dict[str, int], out: Path) -> None:
    """Writes cuts_codec_train.jsonl.gz, what was left out, and the counts."""
    with ExitStack() as stack:
        temporary = stack.enter_context(atomic_path(out / "cuts_codec_train.jsonl.gz"))
        raw = stack.enter_context(temporary.open("wb"))
        packed = gzip.GzipFile("", "wb", compresslevel=4, fileobj=raw, mtime=0)
        lines = stack.enter_context(io.TextIOWrapper(packed, encoding="utf-8"))
        for item in listed:
            for name, piece in take(item, counts[item.part.corpus]):
                lines.write(json.dumps(cut_of(name, piece, item.part), ensure_ascii=False) + "\n")
    with atomic_path(out / "cuts_codec_left_out.txt") as path:
        names = [f"{name}: {why}\n" for item in listed for name, why in item.left_out.items()]
        path.write_text("".join(names), encoding="utf-8")
    summary = {}
    for item in listed:
        hours = sum(piece.duration_s for piece in item.pieces) / 3600
        summary[item.part.corpus] = {
            "weight": item.part.weight,
            "hours": round(hours, 3),
            "pieces": len(item.pieces),
            "cuts_listed": counts[item.part.corpus],
            "files_left_out": len(item.left_out),
        }
        logger.info(
            "%s: %.1f h in %d pieces, listed as %d cuts (weight %g); %d files left out",
            item.part.corpus,
            hours,
            len(item.pieces),
            counts[item.part.corpus],
            item.part.weight,
            len(item.left_out),
        )
    write_json(out / "codec_mix.json", summary)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mix", required=True, help="NAME=DIR:WEIGHT,...")
    parser.add_argument("--valid_cuts", type=Path, required=True, help="become cuts_codec_dev")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--piece_s", type=float, default=15.0, help="longest cut, seconds")
    parser.add_argument("--max_cuts", type=int, default=2_000_000, help="of the whole list")
    arguments = parser.parse_args()
    listed = [list_corpus(part, arguments.piece_s) for part in parse_mix(arguments.mix)]
    write_mix(listed, choose(listed, arguments.max_cuts), arguments.out)
    with atomic_path(arguments.out / "cuts_codec_dev.jsonl.gz") as temporary:
        shutil.copyfile(arguments.valid_cuts, temporary)


if __name__ == "__main__":
    run_recipe(main)
