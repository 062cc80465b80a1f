"""What every source of pages is to those who read it: indices in shards, and their pages.

A shard is about as many pages as are opened together. An index stays the same between runs, but
indices need not follow each other.
"""

from collections.abc import Sequence
from typing import Protocol

from latentvision.mllm.documents.page import Page, PageSize

# An index is shard * STRIDE + place, so it does not depend on the sizes of the shards before.
STRIDE = 2**32


class PageSource(Protocol):
    """Pages by index. The object can be pickled."""

    @property
    def num_shards(self) -> int:
        """Number of shards."""

    @property
    def max_window_shards(self) -> int:
        """The most shards that can be read in random order without opening them again and again."""

    def shard(self, number: int) -> Sequence[int]:
        """The indices of a shard's pages."""

    def size(self, index: int) -> PageSize:
        """The size of a page, found without reading its pictures."""

    def page(self, index: int) -> Page:
        """A page, in which the pictures that cannot be found are None; DataError if damaged."""
