"""A small Libriheavy out of a corpus folder's recordings, in the published format to the last key.

`--corpus` has manifest.jsonl and audio, as egs/mini makes it. `--out` gets
libriheavy_cuts_{small,...,dev,test_clean}.jsonl.gz and, under librilight/, chapters of a minute or
so: small/SPEAKER/BOOK/CHAPTER.flac, 16 kHz mono. Each utterance is a cut of its chapter; one
speaker is `dev`, one `test_clean`, the others belong to the training subsets in turn. With
`--num_missing` and `--num_truncated` the last chapters of the training lack their file, or lose
the second half of its bytes, as happens to downloads.

The format is that of https://github.com/k2-fsa/libriheavy (README, Kang et al. 2023, 2309.08105).
"""

import argparse
import gzip
import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from latentspeech.audio.io import load_audio, write_audio
from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import atomic_path
from latentspeech.data.manifest import CorpusUtterance, read_manifest

logger = logging.getLogger(__name__)

SAMPLE_RATE = 16000
SUBSETS = ("small", "medium", "large")
TEXTS = "download/librilight_text"
MAX_PRE_TEXT = 200  # characters of the book that come before


@dataclass(frozen=True)
class Piece:
    """One utterance of a chapter: where it lies in the audio and in the text of the book."""

    text: str
    start_s: float
    duration_s: float
    begin_byte: int
    end_byte: int


@dataclass(frozen=True)
class Chapter:
    """A recording of one speaker: `name` is small/SPEAKER/BOOK/CHAPTER, audio (T,)."""

    name: str
    audio: Tensor
    pieces: tuple[Piece, ...]
    book_text: str

    @property
    def speaker(self) -> str:
        """Who reads."""
        return self.name.split("/")[1]


def asr_text(text: str) -> str:
    """What the published second text looks like: capitals without punctuation."""
    return " ".join(re.sub(r"[^A-Z0-9' ]", " ", text.upper().replace("\u2019", "'")).split())


def chapters(
    corpus: Path, subset: str, speaker: str, spoken: Sequence[CorpusUtterance], chapter_s: float
) -> Iterator[Chapter]:
    """The speaker's utterances, pauses between them, in chapters of about `chapter_s` seconds."""
    pause = torch.zeros(round(0.4 * SAMPLE_RATE))
    book = f"readings_of_{speaker}_librivox_64kb_mp3"
    number, waiting, seconds = 1, list[CorpusUtterance](), 0.0
    for index, utterance in enumerate(spoken):
        waiting.append(utterance)
        seconds += utterance.duration_s
        if seconds < chapter_s and index + 1 < len(spoken):
            continue
        audio, pieces, text = [pause], list[Piece](), ""
        for one in waiting:
            samples = load_audio(corpus / one.audio, SAMPLE_RATE)
            start = sum(map(len, audio)) / SAMPLE_RATE
            begin = len(text.encode())
            end = begin + len(one.text.encode())
            pieces.append(Piece(one.text, start, len(samples) / SAMPLE_RATE, begin, end))
            text += one.text + " "
            audio += [samples, pause]
        name = f"{subset}/{speaker}/{book}/{number:02d}_readings_64kb"
        yield Chapter(name, torch.cat(audio), tuple(pieces), text)
        number, waiting, seconds = number + 1, [], 0.0


def cuts_of(chapter: Chapter) -> Iterator[dict[str, Any]]:
    """The published form of a chapter's cuts."""
    source = f"download/librilight/{chapter.name}.flac"
    recording = {
        "id": chapter.name,
        "sources": [{"type": "file", "channels": [0], "source": source}],
        "sampling_rate": SAMPLE_RATE,
        "num_samples": len(chapter.audio),
        "duration": round(len(chapter.audio) / SAMPLE_RATE, 8),
        "channel_ids": [0],
    }
    subset, _, book, _ = chapter.name.split("/")
    for number, piece in enumerate(chapter.pieces):
        before = chapter.book_text.encode()[: piece.begin_byte].decode()[-MAX_PRE_TEXT:]
        spoken = {
            "texts": [piece.text, asr_text(piece.text)],
            "pre_texts": [before, asr_text(before)],
            "begin_byte": piece.begin_byte,
            "end_byte": piece.end_byte,
        }
        duration_s = round(piece.duration_s, 8)
        supervision = {
            "id": f"{chapter.name}_{number}",
            "recording_id": chapter.name,
            "start": 0,
            "duration": duration_s,
            "channel": 0,
            "language": "English",
            "speaker": chapter.speaker,
            "custom": spoken,
        }
        yield {
            "id": f"{chapter.name}_{number}",
            "start": round(piece.start_s, 8),
            "duration": duration_s,
            "channel": 0,
            "supervisions": [supervision],
            "recording": recording,
            "custom": {"text_path": f"{TEXTS}/output_text_{subset}_cleaned/{book}/text.txt"},
            "type": "MonoCut",
        }


def assign(speakers: Sequence[str], subsets: Sequence[str]) -> dict[str, str]:
    """Speaker to manifest: the first is dev, the second test_clean, the others train."""
    if len(speakers) < 2 + len(subsets):
        raise DataError(
            f"the corpus has {len(speakers)} speakers; expected {2 + len(subsets)} or more: one "
            "for dev, one for test_clean, and one for each subset"
        )
    places = {speakers[0]: "dev", speakers[1]: "test_clean"}
    for number, speaker in enumerate(speakers[2:]):
        places[speaker] = subsets[number % len(subsets)]
    return places


def make_fixture(
    corpus: Path,
    out: Path,
    subsets: Sequence[str],
    chapter_s: float = 60.0,
    faults: Mapping[str, int] | None = None,
) -> dict[str, list[str]]:
    """Writes the manifests and librilight/; returns the recordings damaged on purpose.

    Args:
        faults: how many training recordings are to be `missing` and `truncated`.
    """
    by_speaker: dict[str, list[CorpusUtterance]] = defaultdict(list)
    for utterance in read_manifest(corpus):
        if utterance.text.strip():
            by_speaker[utterance.speaker].append(utterance)
    places = assign(sorted(by_speaker), subsets)
    readers = {speaker: str(100 + number) for number, speaker in enumerate(sorted(by_speaker))}
    written: list[Path] = []
    out.mkdir(parents=True, exist_ok=True)
    for manifest in (*subsets, "dev", "test_clean"):
        subset = manifest if manifest in subsets else subsets[0]
        with (
            atomic_path(out / f"libriheavy_cuts_{manifest}.jsonl.gz") as path,
            gzip.open(path, "wt", encoding="utf-8") as lines,
        ):
            for speaker in (name for name, place in places.items() if place == manifest):
                spoken = by_speaker[speaker]
                for chapter in chapters(corpus, subset, readers[speaker], spoken, chapter_s):
                    flac = out / "librilight" / f"{chapter.name}.flac"
                    flac.parent.mkdir(parents=True, exist_ok=True)
                    write_audio(flac, chapter.audio, SAMPLE_RATE)
                    for cut in cuts_of(chapter):
                        lines.write(json.dumps(cut, ensure_ascii=False) + "\n")
                    written += [flac] if manifest in subsets else []
    return _damage(written, out / "librilight", faults or {})


def _damage(flacs: list[Path], root: Path, faults: Mapping[str, int]) -> dict[str, list[str]]:
    damaged: dict[str, list[str]] = {"missing": [], "truncated": []}
    if sum(faults.values()) >= len(flacs):
        raise DataError(
            f"{dict(faults)} of {len(flacs)} training recordings; expected some to stay whole: "
            "give a larger corpus or a smaller --chapter_s"
        )
    for kind in damaged:
        for _ in range(faults.get(kind, 0)):
            flac = flacs.pop()
            damaged[kind].append(flac.relative_to(root).as_posix())
            if kind == "missing":
                flac.unlink()
            else:
                content = flac.read_bytes()
                flac.write_bytes(content[: len(content) // 2])
    return damaged


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with manifest.jsonl")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--subsets", default="small", help="with commas, of small,medium,large")
    parser.add_argument("--chapter_s", type=float, default=60.0, help="length of a recording")
    parser.add_argument("--num_missing", type=int, default=0, help="recordings without a file")
    parser.add_argument("--num_truncated", type=int, default=0, help="recordings cut in half")
    arguments = parser.parse_args()
    subsets = arguments.subsets.split(",")
    if not set(subsets) <= set(SUBSETS):
        raise DataError(f"--subsets is {arguments.subsets}; expected some of {','.join(SUBSETS)}")
    faults = {"missing": arguments.num_missing, "truncated": arguments.num_truncated}
    damaged = make_fixture(arguments.corpus, arguments.out, subsets, arguments.chapter_s, faults)
    for kind, names in damaged.items():
        for name in names:
            logger.info("%s: %s", kind, name)
    print(f"--manifest_dir {arguments.out} --audio_dir {arguments.out / 'librilight'}")


if __name__ == "__main__":
    run_recipe(main)
