"""Voices that ship, by name: `latentspeech/voices/NAME.safetensors`, on the codec that ships.

The folder's README.md says who speaks and under which licence.
"""

from pathlib import Path

VOICES_FOLDER = Path(__file__).parents[1] / "voices"


def builtin_voices() -> dict[str, Path]:
    """Name to voice file of every voice that ships."""
    return {path.stem: path for path in sorted(VOICES_FOLDER.glob("*.safetensors"))}


def resolve_voice(name_or_path: str | Path) -> Path:
    """The voice file meant; a file comes before a voice that ships by the same name."""
    path = Path(name_or_path)
    return path if path.is_file() else builtin_voices().get(str(name_or_path), path)
