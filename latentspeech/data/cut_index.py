"""Opens a cuts file of any size at once: utterances by number, none of them held in memory.

A compressed file can only be read from its start, so it is read once into `<cuts file>.index/`
beside it: utterances.jsonl with the fields that this package needs of each cut, offsets.npy with
the places where the N lines begin (N + 1 numbers), and meta.json. The first two are memory-mapped,
so that all processes of a machine share them. A cuts file that was changed is indexed anew.
"""

import hashlib
import json
import logging
import mmap
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
from pydantic import Field
from torch import Tensor

from latentspeech.core.config import Config
from latentspeech.core.data.file_lock import exclusive
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import (
    TEMPORARY_PREFIX,
    atomic_directory,
    remove_directory,
    write_json,
)
from latentspeech.data.utterances import (
    Utterance,
    iterate_cuts,
    iterate_rows,
    load_span,
    load_utterance,
    no_cuts,
    repeated_id,
    utterance_of_row,
)

logger = logging.getLogger(__name__)

CUTS_PER_SHARD = 1000
_VERSION = 1
_PROGRESS_EVERY = 1_000_000
_REMEDY = "expected a writable folder beside the cuts: copy the cuts elsewhere"


class CutIndexMeta(Config):
    """The file that the index was made from, and totals over all of its cuts."""

    version: int = Field(description="version of this folder's layout")
    size_bytes: int = Field(description="size of the cuts file")
    modified_ns: int = Field(description="time at which the cuts file was changed")
    cuts_hash: str = Field(description="16 hex digits of the SHA-256 of the cuts' text")
    num_cuts: int = Field(description="cuts in all")
    duration_s: float = Field(description="duration of all cuts together")
    without_speaker: str = Field(description="id of the first cut without a speaker, or empty")
    without_text: str = Field(description="id of the first cut without a text, or empty")


class CutIndex(Sequence[Utterance]):
    """The utterances of a cuts file, in its order; it can be pickled."""

    def __init__(self, cuts_path: Path) -> None:
        """Makes the index first where needed; one process makes it, the others wait.

        Raises DataError if the file is missing, damaged or empty, or ids repeat.
        """
        self.cuts_path = cuts_path
        self._directory = cuts_path.with_name(f"{cuts_path.name}.index")
        self.meta = self._current() or self._make()
        self._lines: Any = None
        self._offsets: Any = None

    @property
    def cuts_hash(self) -> str:
        """The hash of the cuts' text; compressing the file again does not change it."""
        return self.meta.cuts_hash

    @property
    def num_shards(self) -> int:
        """Number of shards, each of up to CUTS_PER_SHARD cuts that follow each other."""
        return -(-len(self) // CUTS_PER_SHARD)

    def shard(self, number: int) -> range:
        """The indices of a shard."""
        first = number * CUTS_PER_SHARD
        return range(first, min(first + CUTS_PER_SHARD, len(self)))

    def load(self, index: int, sample_rate: int) -> Tensor:
        """All samples (T,) of an utterance. DataError if its audio is missing or damaged."""
        return load_utterance(self[index], sample_rate)

    def load_span(self, index: int, sample_rate: int, offset_s: float, duration_s: float) -> Tensor:
        """A part (T,) of an utterance. DataError if its audio is missing or damaged."""
        return load_span(self[index], sample_rate, offset_s, duration_s)

    def __len__(self) -> int:
        return self.meta.num_cuts

    @overload
    def __getitem__(self, index: int) -> Utterance: ...
    @overload
    def __getitem__(self, index: slice) -> list[Utterance]: ...
    def __getitem__(self, index: int | slice) -> Utterance | list[Utterance]:
        if isinstance(index, slice):
            return [self[place] for place in range(len(self))[index]]
        if self._lines is None:
            self._open()
        place = range(len(self))[index]
        first, end = self._offsets[place : place + 2].tolist()
        return utterance_of_row(json.loads(self._lines[first:end]))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_lines": None, "_offsets": None}

    def _open(self) -> None:
        with (self._directory / "utterances.jsonl").open("rb") as file:
            self._lines = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._offsets = np.load(self._directory / "offsets.npy", mmap_mode="r")

    def _current(self) -> CutIndexMeta | None:
        """The index that is there, if it was made from the cuts file as it is now."""
        try:
            values = json.loads((self._directory / "meta.json").read_text(encoding="utf-8"))
            meta = CutIndexMeta(**values)
            status = self.cuts_path.stat()
        except (OSError, ValueError, TypeError):
            return None
        wanted = (_VERSION, status.st_size, status.st_mtime_ns)
        return meta if (meta.version, meta.size_bytes, meta.modified_ns) == wanted else None

    def _make(self) -> CutIndexMeta:
        if not self.cuts_path.parent.is_dir():
            raise DataError(f"cuts not found: {self.cuts_path}; run the corpus stage of the recipe")
        with exclusive(self._directory.with_name(f"{self._directory.name}.lock"), _REMEDY):
            if meta := self._current():
                return meta  # another process was faster
            for left in self._directory.parent.glob(f"{TEMPORARY_PREFIX}*-{self._directory.name}"):
                remove_directory(left)
            with atomic_directory(self._directory) as temporary:
                meta = _write_index(self.cuts_path, temporary)
        return meta


def _write_index(cuts_path: Path, directory: Path) -> CutIndexMeta:
    offsets, ids = array("q", [0]), array("q")
    digest = hashlib.sha256()
    duration_s = 0.0
    without: dict[str, str] = {}
    encode = json.JSONEncoder(ensure_ascii=False).encode
    status = cuts_path.stat() if cuts_path.exists() else None
    with (directory / "utterances.jsonl").open("wb") as file:
        for line, row in iterate_rows(cuts_path):
            digest.update(line)
            written = encode(row).encode() + b"\n"
            file.write(written)
            offsets.append(offsets[-1] + len(written))
            name, _, _, length_s, _, speaker, text, _ = row
            ids.append(_number(name))
            duration_s += length_s
            if not speaker.strip():
                without.setdefault("speaker", name)
            if not text.strip():
                without.setdefault("text", name)
            if len(ids) % _PROGRESS_EVERY == 0:
                logger.info("%s: %d cuts indexed", cuts_path, len(ids))
    if not ids:
        raise no_cuts(cuts_path)
    _check_unique(cuts_path, np.frombuffer(ids, np.int64))
    np.save(directory / "offsets.npy", np.frombuffer(offsets, np.int64))
    assert status is not None
    meta = CutIndexMeta(
        version=_VERSION,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        cuts_hash=digest.hexdigest()[:16],
        num_cuts=len(ids),
        duration_s=duration_s,
        without_speaker=without.get("speaker", ""),
        without_text=without.get("text", ""),
    )
    write_json(directory / "meta.json", meta.model_dump())
    return meta


def _number(name: str) -> int:
    """64 bits that stand for an id, so that a large corpus's ids need not be held in memory."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little") - 2**63


def _check_unique(cuts_path: Path, numbers: Any) -> None:
    ordered = np.sort(numbers)
    twice = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    if not twice:
        return
    seen: set[str] = set()
    for utterance in iterate_cuts(cuts_path):
        if _number(utterance.id) in twice:
            if utterance.id in seen:
                raise repeated_id(cuts_path, utterance.id)
            seen.add(utterance.id)
