"""Checks a user's recordings and makes a corpus of those that can be used.

CORPUS gets manifest.jsonl, audio/ (mono, at the codec's rate, silence at the ends cut to 0.2 s) and
report.json, which names every file that was left out, and why.
"""

import json
import logging
import shutil
from collections import defaultdict
from pathlib import Path

import torch
from torch import Tensor

from latentspeech.audio.io import check_not_silent, load_audio, write_audio
from latentspeech.audio.speech.speech_check import check_speech
from latentspeech.core.errors import InputError
from latentspeech.core.storage.files import atomic_path, write_json
from latentspeech.data.manifest import MANIFEST_NAME
from latentspeech.text.normalizer import normalize
from recipes.fine_tune.transcripts import Recording, read_folder

logger = logging.getLogger(__name__)

SAMPLE_RATE = 24000
KEPT_SILENCE_S = 0.2  # about what the corpus of the shipped voice has
WINDOW_S = 0.02
QUIET = 10 ** (-40 / 20)  # relative to the loudest window
CLIPPED_SHARE = 1e-3
SHOWN = 5


class UnusableError(Exception):
    """A recording cannot be used; states the kind of defect and the details."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def trim(audio: Tensor) -> Tensor:
    """Samples (T,) with at most KEPT_SILENCE_S of silence at both ends."""
    width = round(WINDOW_S * SAMPLE_RATE)
    level = torch.nn.functional.avg_pool1d(audio.square()[None, None], width, width)[0, 0].sqrt()
    loud = (level > QUIET * level.max()).nonzero()[:, 0]
    kept = round(KEPT_SILENCE_S * SAMPLE_RATE)
    first, last = int(loud[0]) * width - kept, (int(loud[-1]) + 1) * width + kept
    return audio[max(0, first) : last]


def read_recording(path: Path, text: str | None, min_s: float, max_s: float) -> Tensor:
    """The usable samples (T,); UnusableError says why there are none."""
    if text is None:
        raise UnusableError("no transcript", "neither in metadata.csv nor in a .txt beside it")
    if not any(character.isalnum() for character in normalize(text)):
        raise UnusableError("empty transcript", repr(text[:40]))
    try:
        audio = load_audio(path, SAMPLE_RATE)
    except InputError as error:
        kind = "NaN or infinite samples" if "NaN" in str(error) else "unreadable"
        raise UnusableError(kind, str(error)) from None
    try:
        check_not_silent(audio, path.name)
    except InputError as error:
        raise UnusableError("silent", str(error)) from None
    audio = trim(audio)
    seconds = len(audio) / SAMPLE_RATE
    if seconds < min_s:
        raise UnusableError("too short", f"{seconds:.2f} s without silence; expected {min_s:g}")
    if seconds > max_s:
        raise UnusableError("too long", f"{seconds:.2f} s; at most {max_s:g}: cut it at sentences")
    try:
        check_speech(audio.numpy(), SAMPLE_RATE, path.name)
    except InputError as error:
        raise UnusableError("no speech", str(error)) from None
    return audio


def utterance_id(recording: Recording) -> str:
    """The path without suffix and spaces."""
    return "_".join(recording.path.with_suffix("").as_posix().split())


def make_corpus(data: Path, out: Path, min_s: float, max_s: float) -> dict[str, object]:
    """Writes the corpus; returns the report."""
    found = read_folder(data)
    problems: dict[str, list[str]] = defaultdict(list)
    problems["transcript without recording"] += found.without_audio
    warnings: dict[str, list[str]] = defaultdict(list)
    rows: dict[str, dict[str, object]] = {}
    shutil.rmtree(out / "audio", ignore_errors=True)
    for recording in found.recordings:
        name = utterance_id(recording)
        try:
            if name in rows:
                raise UnusableError("same name", f"as {rows[name]['audio']}")
            audio = read_recording(data / recording.path, recording.text, min_s, max_s)
        except UnusableError as error:
            problems[error.kind].append(f"{recording.path}: {error}")
            continue
        if float((audio.abs() >= 0.999).float().mean()) > CLIPPED_SHARE:
            warnings["clipped"].append(str(recording.path))
        path = out / "audio" / f"{name}.flac"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_audio(path, audio, SAMPLE_RATE)
        rows[name] = {
            "id": name,
            "audio": path.relative_to(out).as_posix(),
            "speaker": recording.speaker,
            "text": recording.text,
            "source": "custom",
            "licence": "the user's own",
            "duration_s": round(len(audio) / SAMPLE_RATE, 6),
        }
    with atomic_path(out / MANIFEST_NAME) as temporary:
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows.values())
        temporary.write_text(text, encoding="utf-8")
    seconds: dict[str, float] = defaultdict(float)
    for row in rows.values():
        seconds[str(row["speaker"])] += float(str(row["duration_s"]))
    report = {
        "recordings": len(found.recordings),
        "usable": len(rows),
        "seconds_by_speaker": {name: round(value, 1) for name, value in seconds.items()},
        "left_out": {kind: names for kind, names in problems.items() if names},
        "warnings": dict(warnings),
    }
    write_json(out / "report.json", report)
    return report
