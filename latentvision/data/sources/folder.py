"""Pictures in one folder a class, like ImageNet: ROOT/CLASS/NAME.jpg. Or all in ROOT, no classes.

The names of all files are held packed, about 30 bytes each in two arrays that worker processes
share. A shard is every n-th picture, so a few shards have pictures of all classes. For far more
than ten million pictures use tar files.
"""

import logging
import os
from array import array
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from latentspeech.core.errors import DataError, InputError
from latentvision.data.sources.source import ImageRecord
from latentvision.images.reading import read_picture

logger = logging.getLogger(__name__)

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_PICTURES_PER_SHARD = 1000


class ImageFolder:
    """The pictures of a folder, sorted by class and name."""

    def __init__(self, root: Path) -> None:
        """Raises DataError if the folder is missing, or has no pictures."""
        self.root = Path(root)
        if not self.root.is_dir():
            raise DataError(
                f"no folder of pictures at {root}; expected one with a folder for each class"
            )
        folders = sorted(item.name for item in os.scandir(self.root) if item.is_dir())
        self._folders = [name for name in folders if not name.startswith(".")]
        has_classes = bool(self._folders)
        if has_classes and _names(self.root):
            logger.warning("%s: pictures beside the folders of classes are left out", root)
        self.class_names: Sequence[str] = tuple(self._folders)
        packed, ends, firsts = bytearray(), array("q", [0]), array("q", [0])
        for folder in self._folders or [""]:
            for name in _names(self.root / folder):
                packed += os.fsencode(name)
                ends.append(len(packed))
            firsts.append(len(ends) - 1)
        self._packed, self._ends = np.frombuffer(bytes(packed), np.uint8), np.array(ends)
        self._firsts = np.array(firsts)  # of each class, and the number of all
        self._has_classes = has_classes
        if not len(self):
            raise DataError(
                f"{root} has no pictures ({', '.join(SUFFIXES)}), directly or in the folders in "
                "it; give another folder"
            )

    def __str__(self) -> str:
        return str(self.root)

    def __len__(self) -> int:
        return len(self._ends) - 1

    @property
    def num_shards(self) -> int:
        """Number of shards."""
        return -(-len(self) // _PICTURES_PER_SHARD)

    @property
    def max_window_shards(self) -> int:
        """Nothing is kept open."""
        return self.num_shards

    def shard(self, number: int) -> Sequence[int]:
        """Every `num_shards`-th picture."""
        return range(number, len(self), self.num_shards)

    def record(self, index: int) -> ImageRecord:
        """The file's path within the folder, without its suffix, and its class."""
        label, name = self._place(index)
        stem = name.rpartition(".")[0]
        if label is None:
            return ImageRecord(stem)
        return ImageRecord(f"{self._folders[label]}/{stem}", label)

    def picture(self, index: int) -> Image.Image:
        """The picture; DataError if it is missing or damaged."""
        label, name = self._place(index)
        folder = self.root if label is None else self.root / self._folders[label]
        try:
            return read_picture(folder / name)
        except InputError as error:
            raise DataError(f"{error}; remove it, or set skip_bad") from None

    def _place(self, index: int) -> tuple[int | None, str]:
        place = range(len(self))[index]
        first, end = self._ends[place : place + 2].tolist()
        name = os.fsdecode(self._packed[first:end].tobytes())
        if not self._has_classes:
            return None, name
        return int(np.searchsorted(self._firsts, place, side="right")) - 1, name


def _names(folder: Path) -> list[str]:
    found = (item.name for item in os.scandir(folder) if item.is_file())
    return sorted(name for name in found if name.lower().endswith(SUFFIXES))
