"""Hedgewars: cries of many players, 44.1 kHz, in English packs, and the game's sound effects.

A pack is one speaker. The file names hint at the words (Justyouwait), but packs differ in what
they say, so there is no text.
"""

from pathlib import Path

from egs.mini.local.sources.file_recordings import AudioPiece, FileRecordings
from egs.mini.local.sources.protocol import Recording
from egs.mini.local.sources.unpacked import unpacked_file

_SOUNDS = "usr/share/games/hedgewars/Data/Sounds"
_LICENCE = "GFDL-1.3 (Hedgewars Project)"
_OTHER_LANGUAGES = ("_es", "_pl", "_ru", "_uk")
_NO_WORDS = ("Jump", "Ow", "Ooff", "Hmm", "Laugh")


def open_hedgewars(downloads: Path) -> FileRecordings:
    """Pack by pack, then the effects."""
    root = unpacked_file(downloads, "hedgewars", _SOUNDS)
    pieces = [
        AudioPiece(
            Recording(f"{path.parent.name}/{path.stem}", f"hedgewars_{path.parent.name.lower()}"),
            path,
        )
        for path in sorted((root / "voices").glob("*/*.ogg"))
        if not path.parent.name.endswith(_OTHER_LANGUAGES) and not path.stem.startswith(_NO_WORDS)
    ]
    pieces += [
        AudioPiece(Recording(path.stem, "hedgewars_effects", kind="effect"), path)
        for path in sorted(root.glob("*.ogg"))
    ]
    return FileRecordings(_LICENCE, pieces)
