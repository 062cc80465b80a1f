"""Images of one size in one file, as evaluations exchange samples; all of them are in memory.

    .npz           ADM's layout: arr_0 (N, H, W, 3) uint8 and, if there are classes, arr_1 (N,)
    .safetensors   the same as `images` and `labels`; its metadata may hold the names of the
                   classes, `class_names`, as a JSON list

N images.
"""

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentspeech.core.errors import DataError
from latentvision.data.sources.source import ImageRecord

SUFFIXES = (".npz", ".safetensors")
_PICTURES_PER_SHARD = 1000
_EXPECTED = "images as an array (N, H, W, 3) of uint8, arr_0 of .npz or `images` of .safetensors"


class ArrayImages:
    """The images of a file, by number."""

    def __init__(self, path: Path) -> None:
        """Raises DataError if the file is missing, damaged, or holds something else."""
        self._path = Path(path)
        if not self._path.is_file():
            raise DataError(f"no file of images at {path}; expected {_EXPECTED}")
        reader = _read_npz if self._path.suffix == ".npz" else _read_safetensors
        try:
            self._images, self._labels, self.class_names = reader(self._path)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())
            raise DataError(
                f"{path} holds no images that can be read ({reason}); expected {_EXPECTED}"
            ) from None
        shape = self._images.shape
        if len(shape) != 4 or shape[-1] != 3 or self._images.dtype != np.uint8 or not len(self):
            raise DataError(
                f"{path} has an array {shape} of {self._images.dtype}; expected {_EXPECTED}"
            )
        if self._labels is not None and self._labels.shape != (len(self),):
            raise DataError(
                f"{path} has labels of shape {self._labels.shape} for {len(self)} images; expected "
                "one for each"
            )

    def __str__(self) -> str:
        return str(self._path)

    def __len__(self) -> int:
        return len(self._images)

    @property
    def num_shards(self) -> int:
        """Number of shards."""
        return -(-len(self) // _PICTURES_PER_SHARD)

    @property
    def max_window_shards(self) -> int:
        """Everything is in memory."""
        return self.num_shards

    def shard(self, number: int) -> Sequence[int]:
        """Images that follow each other."""
        first = number * _PICTURES_PER_SHARD
        return range(first, min(first + _PICTURES_PER_SHARD, len(self)))

    def record(self, index: int) -> ImageRecord:
        """The image's number, and its class."""
        label = None if self._labels is None else int(self._labels[index])
        return ImageRecord(f"{index:06d}", label)

    def picture(self, index: int) -> Image.Image:
        """The image as RGB."""
        return Image.fromarray(self._images[index])


_Content = tuple[NDArray[np.uint8], NDArray[np.int64] | None, Sequence[str]]


def _read_npz(path: Path) -> _Content:
    with np.load(path, allow_pickle=False) as stored:
        labels = stored["arr_1"].astype(np.int64) if "arr_1" in stored else None
        return stored["arr_0"], labels, ()


def _read_safetensors(path: Path) -> _Content:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as stored:
            names = stored.keys()
            labels = stored.get_tensor("labels") if "labels" in names else None
            images = stored.get_tensor("images")
            metadata = stored.metadata() or {}
    except SafetensorError as error:
        raise ValueError(str(error)) from None
    return images, labels, tuple(json.loads(metadata.get("class_names", "[]")))
