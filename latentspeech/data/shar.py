"""A corpus in lhotse's Shar format: audio in tar files of about a thousand cuts each.

    cuts.000000.jsonl.gz    the cuts of a shard
    recording.000000.tar    for each cut, in the same order: ID.flac (or another format), ID.json

The corpus may lie in a folder or behind a URL. No file is opened before it is needed, and only the
shards that were used last stay open. T samples.
"""

import hashlib
import logging
import mmap
import re
import tarfile
import zlib
from array import array
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from latentspeech.core.data.file_store import LocalCacheConfig, open_store
from latentspeech.core.data.recent import Recent
from latentspeech.core.errors import DataError
from latentspeech.data.utterances import Utterance, iterate_cuts, load_span, no_cuts

logger = logging.getLogger(__name__)

_CUTS_NAME = re.compile(r"cuts\.(\d+)\.jsonl(\.gz)?")
# An index is shard * _STRIDE + place, so it does not depend on the sizes of the shards before.
_STRIDE = 2**20


def is_shar(location: str | Path) -> bool:
    """Whether cuts are a folder or URL of shards; else they are a file."""
    return "://" in str(location) or Path(location).is_dir()


class SharSurvey(NamedTuple):
    """Facts that can only be found by reading all cuts of a corpus."""

    indices: Sequence[int]
    cuts_hash: str
    """16 hex digits of the SHA-256 of ids, speakers, texts and durations."""
    without_speaker: str
    """Id of the first cut without a speaker, or empty."""
    without_text: str
    """Id of the first cut without a text, or empty."""


class SharCorpus:
    """The utterances of a Shar folder by index; it can be pickled.

    A shard that is missing a file or damaged raises DataError; with `skip_bad` its cuts are left
    out, with a warning.
    """

    def __init__(
        self,
        location: str | Path,
        cache: LocalCacheConfig | None = None,
        skip_bad: bool = False,
    ) -> None:
        self._store = open_store(location, cache)
        self._skip_bad = skip_bad
        self._shards = self._find()
        self._cuts: Recent[list[Utterance]] = Recent(self._read_cuts)
        self._tars: Recent[_Tar] = Recent(self._open_tar)

    def __str__(self) -> str:
        return str(self._store)

    @property
    def num_shards(self) -> int:
        """Number of shards."""
        return len(self._shards)

    def shard(self, number: int) -> Sequence[int]:
        """The indices of a shard's utterances; empty if it is damaged and `skip_bad` is set."""
        try:
            count = len(self._cuts[number])
        except DamagedSharError as error:
            if not self._skip_bad:
                raise
            logger.warning("a shard is left out: %s", error)
            return ()
        return range(number * _STRIDE, number * _STRIDE + count)

    def __getitem__(self, index: int) -> Utterance:
        number, place = divmod(index, _STRIDE)
        return self._cuts[number][place]

    def load_span(self, index: int, sample_rate: int, offset_s: float, duration_s: float) -> Tensor:
        """A part (T,) of an utterance. DataError if its audio is missing or damaged."""
        utterance, tar = self[index], self._tars[index // _STRIDE]
        if utterance.id not in tar.places:
            raise DataError(
                f"cut {utterance.id}: {utterance.path} has no audio for it: the file is truncated "
                "or of other cuts; make the shard again, or set skip_bad"
            )
        offset, size = tar.places[utterance.id]
        content = tar.content[offset : offset + size]
        return load_span(utterance, sample_rate, offset_s, duration_s, content)

    def load(self, index: int, sample_rate: int) -> Tensor:
        """All samples (T,) of an utterance. DataError if its audio is missing or damaged."""
        return self.load_span(index, sample_rate, 0.0, self[index].duration_s)

    def survey(self) -> SharSurvey:
        """Reads the cuts of all shards, about 20 ms each, and keeps 8 bytes per cut."""
        indices = array("q")
        digest = hashlib.sha256()
        without = {"speaker": "", "text": ""}
        for number in range(self.num_shards):
            for index in self.shard(number):
                utterance = self[index]
                indices.append(index)
                fields = (utterance.id, utterance.speaker, utterance.text, utterance.duration_s)
                digest.update(repr(fields).encode())
                for name, first in without.items():
                    if not first and not getattr(utterance, name).strip():
                        without[name] = utterance.id
        return SharSurvey(indices, digest.hexdigest()[:16], without["speaker"], without["text"])

    def _find(self) -> list[tuple[str, str]]:
        """Names of the files of each shard, in order."""
        names = self._store.names()
        found = [match for name in sorted(names) if (match := _CUTS_NAME.fullmatch(name))]
        pairs = [(match[0], f"recording.{match[1]}.tar") for match in found]
        whole = [pair for pair in pairs if pair[1] in names]
        lost = [pair[1] for pair in pairs if pair[1] not in names]
        if lost and not (self._skip_bad and whole):
            raise self._damaged(lost[0], f"no such file; {len(lost)} of {len(pairs)} are missing")
        if lost:
            logger.warning("%s: %d of %d shards have no audio", self._store, len(lost), len(pairs))
        if not pairs:
            raise DataError(
                f"{self._store} holds no cuts.NNNNNN.jsonl.gz; expected a folder in lhotse's Shar "
                "format: make it with python -m recipes.lib.make_shar"
            )
        return whole

    def _read_cuts(self, number: int) -> list[Utterance]:
        name, audio = self._shards[number]
        where = Path(self._store.where(audio))

        def read(path: Path) -> list[Utterance]:
            return list(iterate_cuts(path, "shar"))

        try:
            cuts = self._store.read(name, read)
        except FileNotFoundError:
            raise self._damaged(name, "no such file") from None
        except DataError as error:
            raise self._damaged(name, str(error)) from None
        if not cuts:
            raise self._damaged(name, str(no_cuts(Path(name))))
        return [
            # The audio in the tar is the cut alone, even if the cut was a piece of a recording.
            cut._replace(path=where, start_s=0.0, is_whole_file=True)
            for cut in cuts
        ]

    def _open_tar(self, number: int) -> "_Tar":
        _, name = self._shards[number]
        try:
            return self._store.read(name, _open_tar)
        except (OSError, tarfile.TarError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            raise self._damaged(name, str(error)) from None

    def _damaged(self, name: str, reason: str) -> "DamagedSharError":
        return DamagedSharError(
            f"{self._store.where(name)} is missing, truncated or damaged ({reason}); remove both "
            "files of the shard and run python -m recipes.lib.make_shar again, or set skip_bad"
        )


class DamagedSharError(DataError):
    """A file of a shard is missing or damaged."""


class _Tar(NamedTuple):
    """A mapped tar file, and where in it the audio of each cut lies (offset, size)."""

    content: Any
    places: dict[str, tuple[int, int]]


def _open_tar(path: Path) -> _Tar:
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    places: dict[str, tuple[int, int]] = {}
    with tarfile.open(path, "r:") as members:
        try:
            for member in members:
                name, _, kind = member.name.rpartition(".")
                if kind not in ("json", "nodata", "nometa"):
                    places[name] = (member.offset_data, member.size)
        except (tarfile.ReadError, zlib.error) as error:
            # Cuts before the break can be used; each cut after it raises an error when loaded.
            logger.warning("%s is truncated (%s)", path, error)
    return _Tar(content, places)
