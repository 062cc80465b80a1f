"""DNS Challenge 4, ICASSP 2022 (Dubey et al. 2022, arXiv 2202.13288): its clean full-band speech.

    datasets_fullband/clean_fullband/<read_speech, german_speech, VocalSet_48kHz_mono, ...>/**.wav

48 kHz. There is no table: every file below clean_fullband counts. Noise and impulse responses are
not clean speech and are left alone.
"""

from collections.abc import Iterator
from pathlib import Path

from egs.libriheavy.local.codec_mix.clip import Clip, first_existing, walk

NAME = "dns4"
LAYOUT = "datasets_fullband/clean_fullband of the DNS Challenge 4"


def clips(folder: Path) -> Iterator[Clip]:
    """Every file of clean speech."""
    places = [folder / "clean_fullband", folder / "datasets_fullband/clean_fullband"]
    if folder.name == "clean_fullband":
        places.insert(0, folder)
    root = first_existing(NAME, places, LAYOUT)
    for path in walk(root, ".wav", ".flac"):
        yield Clip(path.relative_to(root).with_suffix("").as_posix(), path)
