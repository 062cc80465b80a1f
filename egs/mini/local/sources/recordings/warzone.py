"""Warzone 2100: announcements and pilots, Ogg at 11 to 44 kHz, without text, and effects.

All lies in a zip. A folder of it counts as one speaker: its lines belong together.
"""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import soundfile

from egs.mini.local.sources.protocol import Recording, Waveform
from egs.mini.local.sources.unpacked import unpacked_file
from latentspeech.core.errors import DataError

_ARCHIVE = "usr/share/games/warzone2100/base.wz"
# Below audio/; what is not named here is a mixture.
_SPEECH = (
    "tutorial", "memressp", "countdown", "vtoltalk", "taunts", "nexus", "coltive", "trnsppil",
    "proxmessages",
)  # fmt: skip
_EFFECTS = "sfx"


class Warzone:
    """Reads members of the zip."""

    licence = "GPL-2+ (Warzone 2100 Project)"

    def __init__(self, downloads: Path) -> None:
        path = unpacked_file(downloads, "warzone", _ARCHIVE)
        try:
            self._archive = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError) as error:
            raise DataError(
                f"source warzone: {path} is no zip ({error}); remove {downloads / 'warzone'} and "
                "run egs/mini/local/install_sources.sh warzone"
            ) from None

    def recordings(self) -> Iterator[Recording]:
        """Speech, then effects, each by name."""
        members = sorted(name for name in self._archive.namelist() if name.endswith(".ogg"))
        for folder in (*_SPEECH, _EFFECTS):
            for member in members:
                parts = PurePosixPath(member).parts
                if parts[:2] == ("audio", folder):
                    name = member.removeprefix("audio/").removesuffix(".ogg")
                    if folder == _EFFECTS:
                        yield Recording(name, "warzone_effects", kind="effect")
                    else:
                        # The three packs of taunts are three people.
                        part = parts[2] if folder == "taunts" else folder
                        yield Recording(name, f"warzone_{part}")

    def load(self, recording: Recording) -> Waveform:
        """Decodes one member."""
        try:
            data = self._archive.read(f"audio/{recording.name}.ogg")
            block, rate = soundfile.read(io.BytesIO(data), dtype="float32", always_2d=True)
        except (soundfile.LibsndfileError, zipfile.BadZipFile) as error:
            raise DataError(f"source warzone: {recording.name} is damaged ({error})") from None
        return Waveform(block.mean(axis=1), rate)
