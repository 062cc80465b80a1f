"""Music and single sounds of packages: something to encode besides speech.

At most a minute of a track, so that no track and no source outweighs the others.
"""

from pathlib import Path

from egs.mini.local.sources.file_recordings import FileRecordings, cut_in_pieces
from egs.mini.local.sources.protocol import Kind
from egs.mini.local.sources.unpacked import unpacked_file
from latentspeech.core.errors import ConfigError, DataError

_PIECE_S = 10.0
# Of a track, by source.
_MAX_PIECES = {"drascula_music": 6, "sonic_pi": 6, "warzone_music": 2}
_PLACES = {
    "drascula_music": "usr/share/scummvm/drascula/audio",
    "sonic_pi": "usr/share/sonic-pi/samples",
    "warzone_music": "usr/share/games/warzone2100/music",
}
_LICENCES = {
    "drascula_music": "Drascula licence (free with notice; (C) Alcachofa Soft)",
    "sonic_pi": "CC0-1.0",
    "warzone_music": "GPL-2+ (Warzone 2100 Project)",
}
_SUFFIXES = (".ogg", ".opus", ".flac", ".wav")
# Names of samples that are sounds rather than music.
_EFFECTS = ("vinyl", "misc", "mehackit_robot", "mehackit_phone", "perc_door", "perc_swoosh")


def open_music(source: str, downloads: Path) -> FileRecordings:
    """drascula_music, sonic_pi or warzone_music."""
    if source not in _PLACES:
        raise ConfigError(f"no music source {source!r}; expected one of {', '.join(_PLACES)}")
    root = unpacked_file(downloads, source, _PLACES[source])
    paths = sorted(path for path in root.rglob("*") if path.suffix in _SUFFIXES)
    if not paths:
        raise DataError(
            f"source {source}: no audio in {root}; remove {downloads / source} and run "
            f"egs/mini/local/install_sources.sh {source}"
        )
    pieces = [
        piece
        for path in paths
        for piece in cut_in_pieces(path, source, _kind(path.stem), _PIECE_S, _MAX_PIECES[source])
    ]
    return FileRecordings(_LICENCES[source], pieces)


def _kind(name: str) -> Kind:
    return "effect" if name.startswith(_EFFECTS) else "music"
