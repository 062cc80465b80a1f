"""Pictures in MNIST's idx files, such as Fashion-MNIST (Debian: dataset-fashion-mnist).

Fashion-MNIST is Xiao et al. 2017, arXiv 1708.07747: 60,000 and 10,000 grey pictures of 28 x 28
pixels in ten classes. Such sets are small, so they are held in memory.
"""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from latentspeech.core.errors import DataError
from latentvision.data.sources.source import ImageRecord

FASHION_CLASSES = (
    "t-shirt",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
_PICTURES_PER_SHARD = 1000
_UNSIGNED_BYTES = 8  # the type's number in the format


class IdxImages:
    """The pictures of one file, with the labels of another."""

    def __init__(self, images: Path, labels: Path, class_names: Sequence[str] = ()) -> None:
        """Raises DataError if a file is missing or damaged, or the two do not fit each other."""
        self._path = Path(images)
        self._pixels = _read_idx(self._path, num_dims=3)  # (N, H, W)
        self._labels = _read_idx(Path(labels), num_dims=1)  # (N,)
        self.class_names = tuple(class_names)
        if len(self._pixels) != len(self._labels):
            raise DataError(
                f"{images} has {len(self._pixels)} pictures, {labels} {len(self._labels)} labels; "
                "expected as many; give files of one set"
            )
        if self.class_names and int(self._labels.max(initial=0)) >= len(self.class_names):
            raise DataError(
                f"{labels} has class {self._labels.max()}, but {len(self.class_names)} names of "
                "classes were given; give one for each"
            )

    def __str__(self) -> str:
        return str(self._path)

    def __len__(self) -> int:
        return len(self._pixels)

    @property
    def num_shards(self) -> int:
        """Number of shards."""
        return -(-len(self) // _PICTURES_PER_SHARD)

    @property
    def max_window_shards(self) -> int:
        """Everything is in memory."""
        return self.num_shards

    def shard(self, number: int) -> Sequence[int]:
        """Pictures that follow each other."""
        first = number * _PICTURES_PER_SHARD
        return range(first, min(first + _PICTURES_PER_SHARD, len(self)))

    def record(self, index: int) -> ImageRecord:
        """The file's name with the picture's number, and its class."""
        stem = self._path.name.partition(".")[0]
        return ImageRecord(f"{stem}/{index:05d}", int(self._labels[index]))

    def picture(self, index: int) -> Image.Image:
        """The picture as RGB."""
        return Image.fromarray(self._pixels[index]).convert("RGB")


def _read_idx(path: Path, num_dims: int) -> NDArray[np.uint8]:
    """An array of unsigned bytes from an idx file, compressed or not."""
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if content[:2] == b"\x1f\x8b" else content
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist; expected an idx file such as those of Debian's package "
            "dataset-fashion-mnist (apt-get install dataset-fashion-mnist)"
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} is truncated or damaged ({error}); get it again") from None
    head = 4 + 4 * num_dims
    if content[:4] != bytes([0, 0, _UNSIGNED_BYTES, num_dims]):
        raise DataError(
            f"{path} begins with {content[:4].hex()}; expected an idx file of bytes with "
            f"{num_dims} dimension(s): give another file"
        )
    shape = np.frombuffer(content[4:head], ">u4").astype(int)
    if len(content) - head != shape.prod():
        raise DataError(
            f"{path} holds {len(content) - head} bytes, its header promises {shape.prod()}; "
            "get it again"
        )
    return np.frombuffer(content[head:], np.uint8).reshape(shape)
