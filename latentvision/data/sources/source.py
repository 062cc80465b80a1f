"""What every source of pictures is to those who read it: indices in shards, and their pictures.

A shard is about as many pictures as are opened together. An index stays the same between runs, so
plans and resumed runs agree, but indices need not follow each other.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from PIL import Image


class ImageRecord(NamedTuple):
    """What is known of a picture without decoding it."""

    id: str
    label: int | None = None  # number of its class; None: it has none
    text: str = ""  # caption


class ImageSource(Protocol):
    """Pictures by index. The object can be pickled."""

    @property
    def class_names(self) -> Sequence[str]:
        """The name of each class by its number; empty if names are not known."""

    @property
    def num_shards(self) -> int:
        """Number of shards."""

    @property
    def max_window_shards(self) -> int:
        """The most shards that can be read in random order without opening them again and again."""

    def shard(self, number: int) -> Sequence[int]:
        """The indices of a shard's pictures."""

    def record(self, index: int) -> ImageRecord:
        """A picture's name, class and caption."""

    def picture(self, index: int) -> Image.Image:
        """The picture, mode RGB, in its own size; DataError if it is missing or damaged."""
