"""Emoji as a set of small colour pictures: the npm packages emoji-datasource-google and -twitter.

`npm pack emoji-datasource-google` fetches one (74 MB; the pictures are Noto's, Apache-2.0; those of
-twitter are CC-BY-4.0). Each has some 3,800 pictures of 64 x 64 pixels, in nine categories and the
components of others; its captions are Unicode's names.

A tenth of the emoji is kept aside for tests, all skin tones of an emoji together, so that no test
picture has a twin in training. The choice depends on the emoji alone, not on the vendor.
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from PIL import Image

from latentspeech.core.errors import DataError, InputError
from latentvision.data.sources.source import ImageRecord
from latentvision.images.reading import read_picture

EmojiSplit = Literal["train", "test"]

_TABLE = "emoji.json"
_TEST_ONE_IN = 10
_PICTURES_PER_SHARD = 1000


class EmojiImages:
    """The pictures of an unpacked package."""

    def __init__(self, folder: Path, split: EmojiSplit) -> None:
        """Raises DataError if the folder is no such package."""
        self._folder, self._split = Path(folder), split
        rows = _read_table(self._folder / _TABLE)
        pictures = sorted((self._folder / "img").glob("*/64"))
        if len(pictures) != 1:
            raise DataError(
                f"{folder} has {len(pictures)} folders img/VENDOR/64; expected one, as in npm's "
                "emoji-datasource-google: unpack the package again"
            )
        self._pictures = pictures[0]
        vendor = self._pictures.parent.name
        self.class_names: Sequence[str] = tuple(sorted({row["category"] for row in rows}))
        self._emoji = [
            _Emoji(form["image"], self.class_names.index(row["category"]), row["name"].lower())
            for row in sorted(rows, key=lambda row: str(row["unified"]))
            if _is_test(row["unified"]) == (split == "test")
            for form in (row, *row.get("skin_variations", {}).values())
            if form.get(f"has_img_{vendor}")
        ]
        if not self._emoji:
            raise DataError(f"{folder} has no pictures of {vendor}; unpack the package again")

    def __str__(self) -> str:
        return f"{self._pictures} ({self._split})"

    def __len__(self) -> int:
        return len(self._emoji)

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
        """The file's name without its suffix, its category and its name."""
        emoji = self._emoji[index]
        return ImageRecord(emoji.file.removesuffix(".png"), emoji.label, emoji.name)

    def picture(self, index: int) -> Image.Image:
        """The picture on white; DataError if it is missing or damaged."""
        try:
            return read_picture(self._pictures / self._emoji[index].file)
        except InputError as error:
            raise DataError(f"{error}; unpack the package again, or set skip_bad") from None


class _Emoji(NamedTuple):
    file: str
    label: int
    name: str


def _is_test(unified: str) -> bool:
    return hashlib.sha256(unified.encode()).digest()[0] % _TEST_ONE_IN == 0


def _read_table(path: Path) -> list[dict[str, Any]]:
    try:
        rows: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
        if not {"image", "category", "name", "unified"} <= rows[0].keys():
            raise ValueError("its entries have other keys")
    except FileNotFoundError:
        raise DataError(
            f"{path} does not exist; expected an unpacked npm package: run npm pack "
            "emoji-datasource-google, then tar xzf on its file"
        ) from None
    except (ValueError, LookupError, AttributeError, TypeError) as error:
        raise DataError(f"{path} is no table of emoji ({error}); unpack it again") from None
    return rows
