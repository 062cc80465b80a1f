"""The pictures that pages name: files of a folder, or of the pages' own URLs once downloaded."""

import hashlib
from pathlib import Path

from latentspeech.core.errors import DataError
from latentvision.mllm.documents.page import Picture


class PictureFolder:
    """Pictures by name. A picture that has a URL is the file named by the SHA-256 of the URL."""

    def __init__(self, folder: Path) -> None:
        self._folder = Path(folder)

    def read(self, name: str) -> Picture:
        """The picture; its content is None if there is no such file.

        Raises DataError if the name leads out of the folder, or the file cannot be read.
        """
        if "://" in name:
            return Picture(name, self._content(hashlib.sha256(name.encode()).hexdigest()))
        path = Path(name)
        if path.is_absolute() or ".." in path.parts:
            raise DataError(
                f"a page names the picture {name}; expected a path within {self._folder}; correct "
                "the page"
            )
        return Picture(str(self._folder / name), self._content(name))

    def _content(self, name: str) -> bytes | None:
        path = self._folder / name
        try:
            return path.read_bytes() if path.is_file() else None
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error}); get it again") from None
