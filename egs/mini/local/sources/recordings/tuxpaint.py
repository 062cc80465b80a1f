"""Tux Paint's stamps: their English names, spoken by a few people; mixed rates.

Who speaks is not stated: one speaker for all. The first line of the stamp's text file is what is
said.
"""

from pathlib import Path

from egs.mini.local.sources.file_recordings import AudioPiece, FileRecordings
from egs.mini.local.sources.protocol import Recording
from egs.mini.local.sources.unpacked import unpacked_file

_STAMPS = "usr/share/tuxpaint/stamps"
_LICENCE = "GPL-2 (Tux Paint)"
_SUFFIX = "_desc.ogg"  # other languages put their code before the dot


def open_tuxpaint(downloads: Path) -> FileRecordings:
    """By path."""
    root = unpacked_file(downloads, "tuxpaint", _STAMPS)
    pieces = []
    for path in sorted(root.rglob(f"*{_SUFFIX}")):
        name = str(path.relative_to(root)).removesuffix(_SUFFIX)
        captions = root / f"{name}.txt"
        lines = captions.read_text(encoding="utf-8").splitlines() if captions.is_file() else []
        pieces.append(AudioPiece(Recording(name, "tuxpaint", lines[0] if lines else ""), path))
    return FileRecordings(_LICENCE, pieces)
