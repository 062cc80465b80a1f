"""FSD50K (Fonseca et al. 2022, arXiv 2010.00475): the development set without its validation part.

    FSD50K.ground_truth/dev.csv      fname, labels, mids, split (train or val)
    FSD50K.dev_audio/<fname>.wav     44.1 kHz

The evaluation set stays out.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

from egs.libriheavy.local.codec_mix.clip import Clip, first_existing
from latentspeech.core.errors import DataError

NAME = "fsd50k"
LAYOUT = "FSD50K.ground_truth/dev.csv and FSD50K.dev_audio/"


def clips(folder: Path) -> Iterator[Clip]:
    """The clips whose split is train."""
    table = first_existing(NAME, [folder / "FSD50K.ground_truth/dev.csv"], LAYOUT)
    with table.open(encoding="utf-8", newline="") as lines:
        rows = csv.DictReader(lines)
        if not {"fname", "split"} <= set(rows.fieldnames or ()):
            raise DataError(f"{table} has no columns fname and split; expected {LAYOUT}")
        for row in rows:
            if row["split"] == "train":
                yield Clip(row["fname"], folder / "FSD50K.dev_audio" / f"{row['fname']}.wav")
