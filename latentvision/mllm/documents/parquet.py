"""Pages in Parquet files, in the layouts of the public corpora; needs package pyarrow.

    pair          a caption (column caption, text or TEXT) and a picture: its bytes (column jpg,
                  png, webp or image, as img2dataset and the Hugging Face hub write them), or its
                  URL (column url or URL: LAION, Schuhmann et al. 2022, arXiv 2210.08402; COYO-700M)
    interleaved   lists `texts` and `images` of the same length, one of the two null at each place
                  (OBELICS, Laurencon et al. 2023, arXiv 2306.16527); images are bytes or URLs
    text          a column text alone

A picture given by its URL is read from `pictures`; LAION, COYO and OBELICS hold URLs alone. A shard
is a row group. Of a row group only the needed columns are in memory.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from latentspeech.core.data.file_store import LocalCacheConfig, open_store
from latentspeech.core.data.recent import Recent
from latentspeech.core.errors import ConfigError, DataError
from latentvision.mllm.documents.page import Page, PageKind, PageSize, Picture, Text, size_of
from latentvision.mllm.documents.picture_folder import PictureFolder
from latentvision.mllm.documents.source import STRIDE

_CAPTIONS = ("caption", "text", "TEXT")
_PICTURES = ("jpg", "png", "webp", "image", "url", "URL")
_KEYS = ("key", "id", "SAMPLE_ID")
# Row groups with pictures are often 100 MB and more.
_OPEN_GROUPS = 4


class ParquetPages:
    """The rows of a folder of Parquet files."""

    def __init__(
        self, location: str | Path, pictures: PictureFolder, cache: LocalCacheConfig | None = None
    ) -> None:
        """Raises DataError if there are no such files, or one has other columns."""
        try:
            import pyarrow  # noqa: F401
        except ModuleNotFoundError:
            raise ConfigError(
                "reading Parquet needs package pyarrow, which is not installed; "
                "run: pip install pyarrow"
            ) from None
        self._store = open_store(location, cache)
        self._pictures = pictures
        names = sorted(name for name in self._store.names() if name.endswith(".parquet"))
        if not names:
            raise DataError(f"{location} holds no .parquet files; give a folder or URL of some")
        self._groups: list[_Group] = []
        for name in names:
            columns, counts = self._read(name, _survey)
            layout = _layout(self._store.where(name), columns)
            self._groups += [_Group(name, n, count, layout) for n, count in enumerate(counts)]
        self._texts: Recent[Any] = Recent(self._read_texts, _OPEN_GROUPS)
        self._images: Recent[Any] = Recent(self._read_images, _OPEN_GROUPS)

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
        """The indices of a row group's rows."""
        return range(number * STRIDE, number * STRIDE + self._groups[number].num_rows)

    def size(self, index: int) -> PageSize:
        """The size of a row's text, and the number of its pictures."""
        return size_of(self._page(index, read_pictures=False))

    def page(self, index: int) -> Page:
        """The page of a row; DataError if the row is damaged."""
        return self._page(index, read_pictures=True)

    def _page(self, index: int, read_pictures: bool) -> Page:
        number, place = divmod(index, STRIDE)
        group = self._groups[number]
        layout, where = group.layout, f"{group.file}/{group.number}/{place}"
        facts = self._texts[number]
        key = str(facts[layout.key][place].as_py()) if layout.key else where
        text = facts[layout.text][place].as_py()
        image = None
        if read_pictures and layout.picture:
            image = self._images[number][layout.picture][place].as_py()
        if layout.kind == "text":
            return Page(key, "text", (Text(text or ""),))
        if layout.kind == "pair":
            return Page(key, "pair", (self._picture(image, where), Text(text or "")))
        texts = text or []
        images = image or [None] * len(texts)
        if len(images) != len(texts):
            raise DataError(
                f"{self._store.where(group.file)}: row {place} of row group {group.number} has "
                f"{len(texts)} texts and {len(images)} images; expected one null for each of the "
                "other; make the file again"
            )
        parts = [
            self._picture(shown, f"{where}/{n}") if said is None else Text(said)
            for n, (said, shown) in enumerate(zip(texts, images, strict=True))
        ]
        return Page(key, "interleaved", tuple(parts))

    def _picture(self, found: Any, where: str) -> Picture:
        """A picture from bytes, from the struct {bytes, path} of the hub, or from a URL."""
        content = found.get("bytes") if isinstance(found, dict) else found
        if isinstance(content, str):
            return self._pictures.read(content)
        return Picture(f"{self._store}: {where}", content)

    def _read_texts(self, number: int) -> Any:
        layout = self._groups[number].layout
        return self._table(number, [name for name in (layout.text, layout.key) if name])

    def _read_images(self, number: int) -> Any:
        return self._table(number, [self._groups[number].layout.picture])

    def _table(self, number: int, columns: Sequence[str]) -> Any:
        group = self._groups[number]

        def read(path: Path) -> Any:
            from pyarrow.parquet import ParquetFile

            return ParquetFile(path).read_row_group(group.number, columns=columns)

        return self._read(group.file, read)

    def _read(self, name: str, reader: Any) -> Any:
        from pyarrow import ArrowException

        try:
            return self._store.read(name, reader)
        except (OSError, ArrowException) as error:
            raise DataError(
                f"{self._store.where(name)} is damaged or no Parquet file ({error}); get it again"
            ) from None


class _Layout(NamedTuple):
    """The columns of a page; "" where there is none."""

    kind: PageKind
    text: str
    picture: str
    key: str


class _Group(NamedTuple):
    file: str
    number: int
    num_rows: int
    layout: _Layout


def _survey(path: Path) -> tuple[list[str], list[int]]:
    """The columns of a file, and the number of rows of each row group."""
    from pyarrow.parquet import ParquetFile

    file = ParquetFile(path)
    groups = range(file.metadata.num_row_groups)
    return file.schema_arrow.names, [file.metadata.row_group(n).num_rows for n in groups]


def _layout(where: str, columns: Sequence[str]) -> _Layout:
    def first(names: Sequence[str]) -> str:
        return next((name for name in names if name in columns), "")

    text, picture, key = first(_CAPTIONS), first(_PICTURES), first(_KEYS)
    if {"texts", "images"} <= set(columns):
        return _Layout("interleaved", "texts", "images", key)
    if not text:
        raise DataError(
            f"{where} has the columns {', '.join(columns)}; expected a caption "
            f"({', '.join(_CAPTIONS)}) and a picture or its URL, or lists texts and images; give "
            "another file"
        )
    return _Layout("pair" if picture else "text", text, picture, key)
