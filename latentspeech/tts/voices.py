"""The voices that ship: `latentspeech/voices/NAME.safetensors`, for the codec that ships.

The folder's README.md names the speakers and licences.
"""

from pathlib import Path

VOICES_FOLDER = Path(__file__).parents[1] / "voices"


def builtin_voices() -> dict[str, Path]:
    """Returns {name: voice file} of all voices that ship."""
    return {path.stem: path for path in sorted(VOICES_FOLDER.glob("*.safetensors"))}


def resolve_voice(name_or_path: str | Path) -> Path:
    """Returns the voice file of a name or path; an existing file precedes a voice that ships."""
    path = Path(name_or_path)
    return path if path.is_file() else builtin_voices().get(str(name_or_path), path)
