"""MUSDB18-HQ (Rafii et al. 2019): the mixtures of its 100 training songs.

    train/<artist - title>/{mixture,vocals,drums,bass,other}.wav    44.1 kHz stereo

The stems sum to the mixture and are not listed beside it; test/ stays out. The compressed MUSDB18
has .stem.mp4 files, which need its own tools to be made into these.
"""

from collections.abc import Iterator
from pathlib import Path

from egs.libriheavy.local.codec_mix.clip import Clip, first_existing
from latentspeech.core.errors import DataError

NAME = "musdb18"
LAYOUT = "train/<artist - title>/mixture.wav of MUSDB18-HQ"


def clips(folder: Path) -> Iterator[Clip]:
    """One clip a song."""
    train = first_existing(NAME, [folder / "train"], LAYOUT)
    if next(train.glob("*.stem.mp4"), None) is not None:
        raise DataError(
            f"{NAME}: {train} has .stem.mp4 files; expected {LAYOUT}: download MUSDB18-HQ, or "
            "convert them with the musdb package"
        )
    for song in sorted(path for path in train.iterdir() if path.is_dir()):
        yield Clip(song.name, song / "mixture.wav")
