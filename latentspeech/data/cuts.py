"""lhotse cuts of a corpus: one cut an utterance, one supervision with speaker and text."""

from pathlib import Path

from lhotse import CutSet

from latentspeech.core.errors import DataError
from latentspeech.core.files import atomic_path


def read_cuts(path: Path) -> CutSet:
    """Reads a cuts file; DataError when it is missing or no cuts."""
    if not path.is_file():
        raise DataError(f"cuts not found: {path}; run the corpus stage of the recipe first")
    return CutSet.from_jsonl_lazy(path)


def write_cuts(cuts: CutSet, path: Path) -> None:
    """Writes .jsonl.gz whole or not at all."""
    with atomic_path(path) as temporary:
        cuts.to_file(temporary)
