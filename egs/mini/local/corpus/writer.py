"""A corpus folder that grows an utterance at a time and survives being killed.

An utterance's line is appended to manifest.jsonl only after its audio lies on the disk under its
final name, so a killed run loses what it was working on and no more. Opening the folder again
clears what the kill left: temporary files, half a line, lines without audio.
"""

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from torch import Tensor

from latentspeech.audio.io import resample, write_audio
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import atomic_path, remove_leftovers
from latentspeech.data.manifest import MANIFEST_NAME

SAMPLE_RATE = 24000
_MIN_S, _MAX_S = 0.5, 30.0
_MARGIN_S = 0.15  # silence that stays before and after the speech
_SILENT_BELOW = 0.01  # of the peak
_PEAK = 0.95


class CorpusWriter:
    """A context manager; only one process at a time may write to a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._lock = FileLock(folder / ".lock")
        try:
            self._lock.acquire(blocking=False)
        except Timeout:
            raise DataError(f"another process is writing to {folder}; wait for it to end") from None
        for place in (folder, *(item for item in folder.iterdir() if item.is_dir())):
            remove_leftovers(place)
        self._path = folder / MANIFEST_NAME
        self.rows = _repair(self._path)
        self.ids = {str(row["id"]) for row in self.rows}
        self.seconds: dict[str, float] = defaultdict(float)  # by speaker
        self._source_seconds: dict[str, float] = defaultdict(float)
        for row in self.rows:
            self._count(row)
        self._manifest = self._path.open("a", encoding="utf-8")

    def __enter__(self) -> "CorpusWriter":
        return self

    def __exit__(self, *_: object) -> None:
        self._manifest.close()
        self._lock.release()

    @property
    def hours(self) -> float:
        """Length of all that is there."""
        return sum(self.seconds.values()) / 3600

    def source_hours(self, source: str) -> float:
        """Length of what one source gave."""
        return self._source_seconds[source] / 3600

    def add(self, audio: Tensor, sample_rate: int, row: dict[str, Any]) -> bool:
        """Stores audio (T,) and its line; False where it is too short, too long or silent.

        Args:
            audio: any level; silence at both ends is cut to 0.15 s, peaks are held below 1.
            sample_rate: of the audio, in Hz; it is stored at 24 kHz.
            row: id, speaker, text, source, licence, kind and more, without audio and duration_s;
                symbol_ends_s, in `audio`, where known.
        """
        audio, start_s = prepare(audio, sample_rate)
        duration_s = audio.numel() / SAMPLE_RATE
        if not _MIN_S <= duration_s <= _MAX_S:
            return False
        name = f"{row['speaker']}/{row['id']}.flac"
        (self.folder / row["speaker"]).mkdir(exist_ok=True)
        write_audio(self.folder / name, audio, SAMPLE_RATE)
        full = {"id": row["id"], "audio": name, **row, "duration_s": round(duration_s, 4)}
        full["native_rate_hz"] = row.get("native_rate_hz", sample_rate)
        if "symbol_ends_s" in row:
            full["symbol_ends_s"] = [
                round(min(max(end - start_s, 0.0), duration_s), 4) for end in row["symbol_ends_s"]
            ]
        self._manifest.write(json.dumps(full, ensure_ascii=False) + "\n")
        self._manifest.flush()
        os.fsync(self._manifest.fileno())
        self.rows.append(full)
        self.ids.add(row["id"])
        self._count(full)
        return True

    def _count(self, row: dict[str, Any]) -> None:
        self.seconds[row["speaker"]] += row["duration_s"]
        self._source_seconds[str(row.get("source", ""))] += row["duration_s"]


def prepare(audio: Tensor, sample_rate: int) -> tuple[Tensor, float]:
    """24 kHz, silence at both ends cut to 0.15 s, peak at most 0.95; empty where all is silent.

    Also gives the second of `audio` at which the result starts.
    """
    peak = float(audio.abs().max()) if audio.numel() else 0.0
    if not torch.isfinite(audio).all() or peak < 1e-3:
        return torch.zeros(0), 0.0
    loud = torch.nonzero(audio.abs() > _SILENT_BELOW * peak)[:, 0]
    margin = round(_MARGIN_S * sample_rate)
    first, last = max(0, int(loud[0]) - margin), int(loud[-1]) + margin + 1
    audio = resample(audio[first:last].float(), sample_rate, SAMPLE_RATE)
    return audio * min(1.0, _PEAK / float(audio.abs().max())), first / sample_rate


def _repair(path: Path) -> list[dict[str, Any]]:
    """The good lines of a manifest; the file is written again if there were others."""
    if not path.is_file():
        return []
    raw = path.read_bytes()
    rows: list[dict[str, Any]] = []
    # What follows the last newline is a line that a kill cut short.
    for number, line in enumerate(raw.split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
            exists = (path.parent / row["audio"]).is_file()
            float(row["duration_s"]), row["id"], row["speaker"]
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path}, line {number} is damaged ({error!r}); remove that line and start again"
            ) from None
        if exists:
            rows.append(row)
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    if text.encode() != raw:
        with atomic_path(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return rows
