"""Pairs from any source of pictures with captions: emoji, webdataset tar files, Parquet, folders.

img2dataset writes tar files of that layout from the lists of LAION and COYO: KEY.jpg and KEY.txt.
"""

from collections.abc import Sequence

from latentspeech.core.errors import DataError
from latentvision.data.sources.source import ImageSource
from latentvision.mllm.documents.page import Page, PageSize, Picture, Text


class CaptionedPages:
    """Each picture of a source with its caption, as a page of the kind `pair`."""

    def __init__(self, source: ImageSource) -> None:
        self._source = source

    def __str__(self) -> str:
        return str(self._source)

    @property
    def num_shards(self) -> int:
        """Number of shards."""
        return self._source.num_shards

    @property
    def max_window_shards(self) -> int:
        """As many as the source allows."""
        return self._source.max_window_shards

    def shard(self, number: int) -> Sequence[int]:
        """The indices of a shard's pictures."""
        return self._source.shard(number)

    def size(self, index: int) -> PageSize:
        """The size of the caption, and one picture."""
        return PageSize(len(self._source.record(index).text.encode("utf-8", "surrogatepass")), 1)

    def page(self, index: int) -> Page:
        """The picture and its caption; a picture that cannot be read is None."""
        record = self._source.record(index)
        name = f"{self._source}: {record.id}"
        try:
            picture = Picture(name, self._source.picture(index))
        except DataError as error:
            picture = Picture(name, None, f"cannot be read: {error}")
        return Page(record.id, "pair", (picture, Text(record.text)))
