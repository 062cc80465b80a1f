"""What every corpus lists: its training clips by name, and the files that its tables promise."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from latentspeech.core.errors import DataError


class Clip(NamedTuple):
    """One audio file of a corpus; `path` need not exist, what is missing is counted later."""

    id: str
    path: Path


def first_existing(corpus: str, places: Iterable[Path], published: str) -> Path:
    """The first of the places that is there; DataError naming the published layout."""
    tried = list(places)
    for place in tried:
        if place.exists():
            return place
    raise DataError(f"{corpus}: none of {', '.join(map(str, tried))} exists; expected {published}")


def walk(folder: Path, *suffixes: str) -> list[Path]:
    """All files with these suffixes below a folder, by name."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in suffixes)
