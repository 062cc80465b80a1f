"""Pictures in tar files in webdataset's layout, in a folder or behind a URL.

    KEY.jpg (or .png, .webp ...)   the picture
    KEY.cls                        the number of its class, as text; or in KEY.json, key "label"
    KEY.txt                        its caption

A file `classes.txt` beside the tar files names the classes, one a line. No file is opened before
it is needed, and only the tar files that were used last stay open.
"""

import json
import logging
import mmap
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from latentspeech.core.data.file_store import LocalCacheConfig, open_store
from latentspeech.core.data.recent import Recent
from latentspeech.core.errors import DataError, InputError
from latentvision.data.sources.folder import SUFFIXES
from latentvision.data.sources.source import ImageRecord
from latentvision.images.reading import decode_picture

logger = logging.getLogger(__name__)

CLASSES_NAME = "classes.txt"
_OPEN_TARS = 160
# An index is shard * _STRIDE + place, so it does not depend on the sizes of the shards before.
_STRIDE = 2**20


class TarImages:
    """The pictures of a folder of tar files.

    A tar file that is truncated or damaged raises DataError; with `skip_bad` the pictures before
    the break are used, with a warning.
    """

    def __init__(
        self, location: str | Path, cache: LocalCacheConfig | None = None, skip_bad: bool = False
    ) -> None:
        """Raises DataError if the folder has no tar files."""
        self._store = open_store(location, cache)
        self._skip_bad = skip_bad
        names = self._store.names()
        self._tars = sorted(name for name in names if name.endswith(".tar"))
        if not self._tars:
            raise DataError(
                f"{location} holds no .tar files; expected a folder or URL of tar files in "
                "webdataset's layout"
            )
        self.class_names: Sequence[str] = ()
        if CLASSES_NAME in names:
            text = self._store.read(CLASSES_NAME, lambda path: path.read_text(encoding="utf-8"))
            self.class_names = tuple(text.splitlines())
        self._open: Recent[_Tar] = Recent(self._open_tar, _OPEN_TARS)

    def __str__(self) -> str:
        return str(self._store)

    @property
    def num_shards(self) -> int:
        """Number of tar files."""
        return len(self._tars)

    @property
    def max_window_shards(self) -> int:
        """The number of tar files that stay open."""
        return _OPEN_TARS

    def shard(self, number: int) -> Sequence[int]:
        """The indices of a tar file's pictures."""
        return range(number * _STRIDE, number * _STRIDE + len(self._open[number].pictures))

    def record(self, index: int) -> ImageRecord:
        """A picture's key, class and caption."""
        number, place = divmod(index, _STRIDE)
        tar = self._open[number]
        name = tar.pictures[place].key
        try:
            return _record(name, tar)
        except (ValueError, TypeError, AttributeError) as error:
            raise DataError(
                f"{self._where(number)}: {name} has a .cls or .json that is damaged ({error}); "
                "expected a number of a class; make the tar file again"
            ) from None

    def picture(self, index: int) -> Image.Image:
        """The picture; DataError if it is damaged."""
        number, place = divmod(index, _STRIDE)
        tar = self._open[number]
        member = tar.pictures[place]
        try:
            content = tar.content[member.offset : member.offset + member.size]
            return decode_picture(content, f"{self._where(number)}: {member.key}")
        except InputError as error:
            raise DataError(f"{error}; or set skip_bad") from None

    def _where(self, number: int) -> str:
        return self._store.where(self._tars[number])

    def _open_tar(self, number: int) -> "_Tar":
        try:
            tar, reason = self._store.read(self._tars[number], _read_tar)
        except (OSError, tarfile.TarError, ValueError) as error:
            if isinstance(error, DataError):
                raise
            tar, reason = None, str(error)
        if reason:
            message = f"{self._where(number)} is truncated or damaged ({reason})"
            if tar is None or not self._skip_bad:
                raise DataError(f"{message}; get it again, or set skip_bad")
            logger.warning("%s; %d pictures before the break are used", message, len(tar.pictures))
        assert tar is not None
        return tar


class _Member(NamedTuple):
    key: str
    offset: int
    size: int


class _Tar(NamedTuple):
    """A mapped tar file: its pictures in order, and the members that tell of them."""

    content: Any
    pictures: list[_Member]
    facts: dict[str, _Member]  # by name with suffix


def _read_tar(path: Path) -> tuple[_Tar, str]:
    """The tar file, and why its end cannot be read; "" if it can."""
    with path.open("rb") as file:
        content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    tar, reason = _Tar(content, [], {}), ""
    with tarfile.open(path, "r:") as members:
        try:
            for member in members:
                folder, _, name = member.name.rpartition("/")
                stem, _, suffix = name.partition(".")
                key = f"{folder}/{stem}" if folder else stem
                found = _Member(key, member.offset_data, member.size)
                if found.offset + found.size > len(content):
                    return tar, f"{member.name} is cut off"
                if member.isfile() and f".{suffix.lower()}" in SUFFIXES:
                    tar.pictures.append(found)
                elif member.isfile() and suffix in ("cls", "json", "txt"):
                    tar.facts[f"{key}.{suffix}"] = found
        except tarfile.ReadError as error:
            reason = str(error)
    return tar, reason


def _record(key: str, tar: _Tar) -> ImageRecord:
    def fact(suffix: str) -> str | None:
        member = tar.facts.get(f"{key}.{suffix}")
        if member is None:
            return None
        content: bytes = tar.content[member.offset : member.offset + member.size]
        return content.decode("utf-8").strip()

    label = None
    if number := fact("cls"):
        label = int(number)
    elif described := fact("json"):
        found = json.loads(described).get("label")
        label = None if found is None else int(found)
    return ImageRecord(key, label, fact("txt") or "")
