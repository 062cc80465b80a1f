"""MTG-Jamendo (Bogdanov et al. 2019): the songs of raw_30s.tsv, 320 kbit/s MP3.

    data/raw_30s.tsv (or autotagging.tsv)   TRACK_ID, ARTIST_ID, ALBUM_ID, PATH, DURATION, TAGS
    <here, audio/ or raw_30s/audio/>/14/214.mp3, or 214.low.mp3 of the small download

Tags follow each other in further columns, so rows are longer than the header.
"""

from collections.abc import Iterator
from pathlib import Path

from egs.libriheavy.local.codec_mix.clip import Clip, first_existing
from latentspeech.core.errors import DataError

NAME = "jamendo"
TABLES = ("raw_30s.tsv", "autotagging.tsv")
LAYOUT = "data/raw_30s.tsv of the MTG-Jamendo repository and the audio's folders 00 to 99"


def clips(folder: Path) -> Iterator[Clip]:
    """The songs of the table."""
    places = [base / name for base in (folder / "data", folder) for name in TABLES]
    table = first_existing(NAME, places, LAYOUT)
    roots = [folder, folder / "audio", folder / "raw_30s/audio"]
    with table.open(encoding="utf-8") as lines:
        header = next(lines, "").rstrip("\n").split("\t")
        if "PATH" not in header:
            raise DataError(f"{table} has no column PATH; expected {LAYOUT}")
        column = header.index("PATH")
        for line in lines:
            cells = line.rstrip("\n").split("\t")
            if len(cells) > column and cells[column]:
                yield Clip(cells[0], _find(roots, Path(cells[column])))


def _find(roots: list[Path], relative: Path) -> Path:
    low = relative.with_suffix(".low.mp3")
    tried = [root / name for root in roots for name in (relative, low)]
    return next((path for path in tried if path.is_file()), tried[0])
