"""Reads cuts as this package uses them: a piece of an audio file, its speaker, text and samples.

These few fields are taken directly from the JSON of a lhotse cut, which is ten times faster than
making lhotse's objects from it. T samples.
"""

import gzip
import io
import json
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import soundfile
import torch
from torch import Tensor

from latentspeech.audio.io import load_audio, resample
from latentspeech.core.errors import DataError, InputError

# lhotse rounds durations to 8 digits; a difference below a sample at 96 kHz is ignored.
_SAME_DURATION_S = 1e-5


class Utterance(NamedTuple):
    """A piece of an audio file; speaker and text are empty where the cut has none."""

    id: str
    path: Path
    start_s: float
    duration_s: float
    is_whole_file: bool
    speaker: str
    text: str
    symbol_ends_s: tuple[float, ...] = ()  # from its start; empty where the cut has no times

    def num_samples(self, sample_rate: int) -> int:
        """Length in samples at a rate, by the duration that the cut states."""
        return round(self.duration_s * sample_rate)


Row = list[Any]  # the fields of an Utterance, in order


def read_utterances(cuts_path: Path) -> list[Utterance]:
    """All utterances of a small cuts file, in order; for a corpus use `CutIndex`.

    Raises DataError if the file is damaged or empty, or ids repeat.
    """
    utterances = list(iterate_cuts(cuts_path))
    if not utterances:
        raise no_cuts(cuts_path)
    seen: set[str] = set()
    for utterance in utterances:
        if utterance.id in seen:
            raise repeated_id(cuts_path, utterance.id)
        seen.add(utterance.id)
    return utterances


def iterate_cuts(cuts_path: Path, source_kind: str = "file") -> Iterator[Utterance]:
    """The utterances of a cuts file (.jsonl or .jsonl.gz), one after the other.

    `source_kind` is lhotse's name for the place of the audio: "file", or "shar" for a tar beside.
    """
    return (utterance_of_row(row) for _, row in iterate_rows(cuts_path, source_kind))


def iterate_rows(cuts_path: Path, source_kind: str = "file") -> Iterator[tuple[bytes, Row]]:
    """The lines of a cuts file, each with its fields in the types that JSON has."""
    if not cuts_path.is_file():
        raise DataError(f"cuts not found: {cuts_path}; run the corpus stage of the recipe first")
    opener = gzip.open if cuts_path.suffix == ".gz" else open
    try:
        with opener(cuts_path, "rb") as file:
            for line in file:
                yield line, _row(json.loads(line), cuts_path, source_kind)
    except DataError:
        raise
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError) as error:
        raise DataError(
            f"{cuts_path} is truncated or holds no cuts ({type(error).__name__}: {error}); "
            "expected lhotse cuts, .jsonl.gz: make them again"
        ) from None


def utterance_of_row(row: Row) -> Utterance:
    """The utterance of a row, whose path and times still have the types of JSON."""
    name, path, start_s, duration_s, is_whole_file, speaker, text, ends_s = row
    return Utterance(
        name, Path(path), start_s, duration_s, is_whole_file, speaker, text, tuple(ends_s)
    )


def no_cuts(cuts_path: Path) -> DataError:
    """The error of a file without cuts."""
    return DataError(f"{cuts_path} holds no cuts; expected at least one: make the cuts again")


def repeated_id(cuts_path: Path, name: str) -> DataError:
    """The error of an id that two cuts have."""
    return DataError(f"{cuts_path}: cut id {name!r} occurs twice; expected unique ids")


def load_utterance(utterance: Utterance, sample_rate: int) -> Tensor:
    """All samples (T,) of an utterance, finite float32. Raises DataError naming cut and file."""
    if not utterance.is_whole_file:
        return load_span(utterance, sample_rate, 0.0, utterance.duration_s)
    try:
        return load_audio(utterance.path, sample_rate)
    except InputError as error:
        raise DataError(f"cut {utterance.id}: {error}") from None


def load_span(
    utterance: Utterance,
    sample_rate: int,
    offset_s: float,
    duration_s: float,
    content: bytes | None = None,
) -> Tensor:
    """A part (T,) of an utterance; the rest of the file is not decoded where the format allows.

    `content` has the bytes of the audio file if it lies within another file.
    """
    path = utterance.path
    try:
        with soundfile.SoundFile(path if content is None else io.BytesIO(content)) as file:
            first = round((utterance.start_s + offset_s) * file.samplerate)
            count = round(duration_s * file.samplerate)
            file.seek(min(first, file.frames))
            block = file.read(count, dtype="float32", always_2d=True)
            file_rate = file.samplerate
    except (soundfile.SoundFileError, OSError) as error:
        raise DataError(
            f"cut {utterance.id}: {path} cannot be read ({error}); expected an audio file: make it "
            "again, leave the cut out, or set skip_bad"
        ) from None
    # The last sample of a resampled recording may be one short.
    if len(block) < count - 2 or len(block) == 0:
        raise DataError(
            f"cut {utterance.id}: {path} has {len(block)} samples from "
            f"{first / file_rate:.3f} s on; expected {count}: the file is truncated or the cut "
            "wrong, make them again"
        )
    audio = torch.from_numpy(block).mean(dim=1)  # (T,)
    if not bool(audio.isfinite().all()):
        raise DataError(f"cut {utterance.id}: {path} has NaN or infinite samples; make it again")
    return resample(audio, file_rate, sample_rate)


def _row(cut: dict[str, Any], cuts_path: Path, source_kind: str) -> Row:
    recording = cut.get("recording") or {"sources": []}
    sources = recording["sources"]
    supervisions = cut.get("supervisions") or []
    if len(sources) != 1 or sources[0]["type"] != source_kind or len(supervisions) > 1:
        raise DataError(
            f"{cuts_path}: cut {cut['id']!r} has {len(sources)} audio sources "
            f"({', '.join(source['type'] for source in sources)}) and {len(supervisions)} "
            "supervisions; expected one audio file and at most one supervision: split the cut"
        )
    # Resampling happens on loading anyway; any other transform would be dropped silently.
    transforms = [transform["name"] for transform in recording.get("transforms") or ()]
    if transforms and set(transforms) != {"Resample"}:
        raise DataError(
            f"{cuts_path}: cut {cut['id']!r} asks for {', '.join(transforms)}; expected recordings "
            "as they are: write the transformed audio to files and make cuts of those"
        )
    spoken = supervisions[0] if supervisions else {}
    length_difference = abs(recording["duration"] - cut["duration"])
    # The times of a cut's alignment count from the start of the cut, like its supervision's.
    words = (spoken.get("alignment") or {}).get("word", ())
    return [
        str(cut["id"]),
        sources[0]["source"],
        float(cut["start"]),
        float(cut["duration"]),
        cut["start"] == 0 and length_difference < _SAME_DURATION_S,
        spoken.get("speaker") or "",
        spoken.get("text") or "",
        [round(start + length, 4) for _, start, length, *_ in words],
    ]
