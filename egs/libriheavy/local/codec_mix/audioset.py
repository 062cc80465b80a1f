"""AudioSet (Gemmeke et al. 2017): the training segments, where their audio was downloaded.

    balanced_train_segments.csv, unbalanced_train_segments.csv
        three comment lines, then: YTID, start_seconds, end_seconds, "labels"
    <anywhere below>/Y<YTID>.wav, <YTID>.flac, <YTID>_30000_40000.mp3, ...

Only tables are published; what people download is named after the video's 11-character id, with or
without a Y before it and the time behind it. Evaluation segments stay out. Segments whose file is
not there count as missing: many videos are gone.
"""

from collections.abc import Iterator
from pathlib import Path

from egs.libriheavy.local.codec_mix.clip import Clip, first_existing, walk

NAME = "audioset"
TABLES = ("balanced_train_segments.csv", "unbalanced_train_segments.csv")
LAYOUT = f"{' or '.join(TABLES)} (in the folder, or in its metadata/), and audio named by YTID"
_ID_LENGTH = 11


def clips(folder: Path) -> Iterator[Clip]:
    """The training segments of the tables that are there."""
    places = [base / name for base in (folder, folder / "metadata") for name in TABLES]
    first_existing(NAME, places, LAYOUT)
    listed = [name for place in places if place.is_file() for name in _ids(place)]
    wanted = set(listed)
    found: dict[str, Path] = {}
    for path in walk(folder, ".wav", ".flac", ".mp3", ".ogg", ".opus"):
        name = _id_of(path.stem, wanted)
        if name is not None:
            found.setdefault(name, path)
    for name in dict.fromkeys(listed):
        yield Clip(name, found.get(name, folder / f"{name}.wav"))


def _ids(table: Path) -> Iterator[str]:
    with table.open(encoding="utf-8") as lines:
        for line in lines:
            if line.strip() and not line.startswith("#"):
                yield line.split(",", 1)[0].strip()


def _id_of(stem: str, wanted: set[str]) -> str | None:
    """The listed id that a file is named after."""
    for start in (0, 1):
        rest = stem[start + _ID_LENGTH :]
        if start and not stem.startswith("Y"):
            continue
        name = stem[start : start + _ID_LENGTH]
        if name in wanted and (not rest or rest.startswith("_")):
            return name
    return None
