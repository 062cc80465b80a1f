"""A corpus decoded once into one memory-mapped int16 file: a random crop then costs microseconds.

`<cuts file>.audio-<rate>hz/` beside the cuts holds samples.int16, offsets.npy (start of each of N
utterances, N + 1 numbers) and meta.json with a key of the cuts, the rate and the audio files' sizes
and times. A cache with another key is made anew. T samples.
"""

import hashlib
import json
import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from latentspeech.core.data.file_lock import exclusive
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import TEMPORARY_PREFIX, atomic_directory, write_json
from latentspeech.data.cut_index import CutIndex
from latentspeech.data.utterances import Utterance, load_utterance

logger = logging.getLogger(__name__)

BYTES_PER_SAMPLE = 2
_FULL_SCALE = 32768.0
_PROGRESS_EVERY = 1000
_REMEDY = (
    "expected a writable folder beside the cuts: copy the cuts elsewhere, or set max_cache_bytes "
    "to 0 to read the audio files directly"
)


class AudioCache(NamedTuple):
    """The opened cache; an utterance that could not be decoded has no samples."""

    samples: Any  # (total,) int16 memory map
    offsets: Any  # (N + 1,) int64

    def length(self, index: int) -> int:
        """Number of samples of an utterance."""
        return int(self.offsets[index + 1] - self.offsets[index])

    def read(self, index: int, start: int, count: int) -> Tensor:
        """At most `count` samples of an utterance from `start` on: (T,) float32."""
        first = int(self.offsets[index]) + start
        last = min(first + count, int(self.offsets[index + 1]))
        return torch.from_numpy(self.samples[first:last].astype(np.float32) / _FULL_SCALE)

    def empty_indices(self) -> list[int]:
        """Utterances without samples."""
        return [int(index) for index in np.flatnonzero(np.diff(self.offsets) == 0)]


def open_audio_cache(utterances: CutIndex, sample_rate: int, skip_bad: bool) -> AudioCache:
    """Opens the cache, making it first where needed; one process makes it, the others wait.

    Raises DataError naming the first utterance that cannot be decoded, unless `skip_bad`: then it
    is left empty and named in a warning.
    """
    cuts_path = utterances.cuts_path
    directory = cuts_path.with_name(f"{cuts_path.name}.audio-{sample_rate}hz")
    key = _key(utterances, sample_rate)
    with exclusive(directory.with_name(directory.name + ".lock"), _REMEDY):
        if not _is_current(directory, key):
            # A process killed here before has left gigabytes; it no longer holds the lock.
            for leftover in directory.parent.glob(f"{TEMPORARY_PREFIX}*-{directory.name}"):
                shutil.rmtree(leftover, ignore_errors=True)
            with atomic_directory(directory) as temporary:
                _decode_all(temporary, utterances, sample_rate, skip_bad)
                write_json(temporary / "meta.json", {"key": key, "sample_rate": sample_rate})
        offsets = np.load(directory / "offsets.npy")
        path = directory / "samples.int16"
        # An empty file cannot be mapped.
        samples = np.memmap(path, np.int16, "r") if offsets[-1] else np.zeros(0, np.int16)
    cache = AudioCache(samples, offsets)
    _report_empty(cache, utterances, skip_bad)
    return cache


def _key(utterances: CutIndex, sample_rate: int) -> str:
    """The key of the cache; it changes when the cuts, the rate or any audio file does."""
    digest = hashlib.sha256(f"1/{utterances.cuts_hash}/{sample_rate}".encode())
    for utterance in utterances:
        try:
            status = utterance.path.stat()
            digest.update(f"/{status.st_size}/{status.st_mtime_ns}".encode())
        except OSError:
            digest.update(b"/missing")
    return digest.hexdigest()


def _is_current(directory: Path, key: str) -> bool:
    try:
        meta = json.loads((directory / "meta.json").read_text(encoding="utf-8"))
        offsets = np.load(directory / "offsets.npy")
        stored_bytes = (directory / "samples.int16").stat().st_size
    except (OSError, ValueError):
        return False
    return bool(meta.get("key") == key and stored_bytes == offsets[-1] * BYTES_PER_SAMPLE)


def _decode_all(
    directory: Path, utterances: Sequence[Utterance], sample_rate: int, skip_bad: bool
) -> None:
    logger.info("decoding %d utterances into %s, once", len(utterances), directory.parent)
    offsets = [0]
    with (directory / "samples.int16").open("wb") as file:
        for number, utterance in enumerate(utterances, start=1):
            try:
                audio = load_utterance(utterance, sample_rate)
            except DataError:
                if not skip_bad:
                    raise
                audio = torch.zeros(0)
            integers = (audio * _FULL_SCALE).round().clamp(-_FULL_SCALE, _FULL_SCALE - 1)
            file.write(integers.numpy().astype(np.int16).tobytes())
            offsets.append(offsets[-1] + len(audio))
            if number % _PROGRESS_EVERY == 0:
                logger.info("decoded %d of %d utterances", number, len(utterances))
    np.save(directory / "offsets.npy", np.array(offsets, dtype=np.int64))


def _report_empty(cache: AudioCache, utterances: Sequence[Utterance], skip_bad: bool) -> None:
    """Names what a cache made with `skip_bad` lacks, also when it is opened again later."""
    empty = cache.empty_indices()
    if not empty:
        return
    names = ", ".join(f"{utterances[index].id} ({utterances[index].path})" for index in empty[:20])
    more = f" and {len(empty) - 20} more" if len(empty) > 20 else ""
    if not skip_bad:
        raise DataError(
            f"{len(empty)} of {len(utterances)} utterances cannot be decoded: {names}{more}; "
            "make them again, leave them out of the cuts, or set skip_bad"
        )
    logger.warning(
        "left out %d of %d utterances that cannot be decoded: %s%s",
        len(empty),
        len(utterances),
        names,
        more,
    )
