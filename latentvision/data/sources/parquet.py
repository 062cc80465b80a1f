"""Pictures in Parquet files, as the Hugging Face hub stores data sets; needs package pyarrow.

    image   {"bytes": the encoded picture, "path": its name}, or the bytes themselves
    label   the number of its class, if there is such a column
    text    its caption, if there is such a column

A shard is a row group. Files behind a URL are copied when the source is opened, because only a
file knows its row groups.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from latentspeech.core.data.file_store import LocalCacheConfig, open_store
from latentspeech.core.data.recent import Recent
from latentspeech.core.errors import ConfigError, DataError, InputError
from latentvision.data.sources.source import ImageRecord
from latentvision.images.reading import decode_picture

# The pictures of a row group are decompressed together, often 10 MB and more.
_OPEN_GROUPS = 16
_STRIDE = 2**20


class ParquetImages:
    """The rows of a folder of Parquet files."""

    def __init__(self, location: str | Path, cache: LocalCacheConfig | None = None) -> None:
        """Raises DataError if there are no such files, or one has no pictures."""
        try:
            import pyarrow  # noqa: F401
        except ModuleNotFoundError:
            raise ConfigError(
                "reading Parquet needs package pyarrow, which is not installed; "
                "run: pip install pyarrow"
            ) from None
        self._store = open_store(location, cache)
        names = sorted(name for name in self._store.names() if name.endswith(".parquet"))
        if not names:
            raise DataError(f"{location} holds no .parquet files; give a folder or URL of some")
        self._groups: list[_Group] = []
        self.class_names: Sequence[str] = ()
        for name in names:
            found = self._read(name, _survey)
            first = len(self._groups)
            groups = enumerate(found.rows_of_group)
            self._groups += [_Group(name, number, rows, found.columns) for number, rows in groups]
            if not first:
                self.class_names = found.class_names
        self._images: Recent[list[Any]] = Recent(self._read_images, _OPEN_GROUPS)
        self._facts: Recent[list[dict[str, Any]]] = Recent(self._read_facts)

    def __str__(self) -> str:
        return str(self._store)

    @property
    def num_shards(self) -> int:
        """Number of row groups of all files."""
        return len(self._groups)

    @property
    def max_window_shards(self) -> int:
        """The number of row groups that stay in memory."""
        return _OPEN_GROUPS

    def shard(self, number: int) -> Sequence[int]:
        """The indices of a row group's pictures."""
        return range(number * _STRIDE, number * _STRIDE + self._groups[number].num_rows)

    def record(self, index: int) -> ImageRecord:
        """A picture's file and row, class and caption."""
        number, place = divmod(index, _STRIDE)
        row, group = self._facts[number][place], self._groups[number]
        label = row.get("label")
        name = f"{group.file}/{group.number}/{place}"
        return ImageRecord(name, None if label is None else int(label), row.get("text") or "")

    def picture(self, index: int) -> Image.Image:
        """The picture; DataError if it is missing or damaged."""
        number, place = divmod(index, _STRIDE)
        image = self._images[number][place]
        content = image.get("bytes") if isinstance(image, dict) else image
        group = self._groups[number]
        where = f"{self._store.where(group.file)}: row {place} of row group {group.number}"
        try:
            return decode_picture(content or b"", where)
        except InputError as error:
            raise DataError(f"{error}; or set skip_bad") from None

    def _read_images(self, number: int) -> list[Any]:
        return [row["image"] for row in self._rows(number, ("image",))]

    def _read_facts(self, number: int) -> list[dict[str, Any]]:
        """Classes and captions; to list them, no picture is read."""
        facts = tuple(name for name in self._groups[number].columns if name != "image")
        return self._rows(number, facts) if facts else [{}] * self._groups[number].num_rows

    def _rows(self, number: int, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        group = self._groups[number]

        def read(path: Path) -> list[dict[str, Any]]:
            from pyarrow.parquet import ParquetFile

            table = ParquetFile(path).read_row_group(group.number, columns=list(columns))
            rows: list[dict[str, Any]] = table.to_pylist()
            return rows

        rows: list[dict[str, Any]] = self._read(group.file, read)
        return rows

    def _read(self, name: str, reader: Any) -> Any:
        from pyarrow import ArrowException

        try:
            return self._store.read(name, reader)
        except (OSError, ArrowException) as error:
            raise DataError(
                f"{self._store.where(name)} is damaged or no Parquet file ({error}); get it again"
            ) from None


class _Group(NamedTuple):
    file: str
    number: int
    num_rows: int
    columns: tuple[str, ...]


class _Survey(NamedTuple):
    rows_of_group: list[int]
    columns: tuple[str, ...]
    class_names: tuple[str, ...]


def _survey(path: Path) -> _Survey:
    from pyarrow.parquet import ParquetFile

    file = ParquetFile(path)
    known = set(file.schema_arrow.names)
    if "image" not in known:
        raise DataError(
            f"{path.name} has no column 'image', but {', '.join(sorted(known))}; expected the "
            "layout of a Hugging Face data set of images"
        )
    columns = tuple(name for name in ("image", "label", "text") if name in known)
    counts = [file.metadata.row_group(n).num_rows for n in range(file.metadata.num_row_groups)]
    return _Survey(counts, columns, _class_names(file.schema_arrow.metadata or {}))


def _class_names(metadata: dict[bytes, bytes]) -> tuple[str, ...]:
    """The names of the classes, which the library `datasets` leaves in the file's metadata."""
    try:
        features = json.loads(metadata[b"huggingface"])["info"]["features"]
        return tuple(features["label"]["names"])
    except (KeyError, ValueError, TypeError):
        return ()
