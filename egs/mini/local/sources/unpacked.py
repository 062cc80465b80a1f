"""Finds what install_sources.sh unpacked from a Debian package."""

from pathlib import Path

from latentspeech.core.errors import DataError


def unpacked_file(downloads: Path, source: str, name: str) -> Path:
    """A file or folder of the source's packages; `name` is its path below the root folder.

    Raises:
        DataError: it is missing; the message has the command that unpacks it.
    """
    path = downloads / source / name
    if not path.exists():
        raise DataError(
            f"source {source}: {path} is missing; run egs/mini/local/install_sources.sh {source}"
        )
    return path
