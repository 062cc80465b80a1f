"""The pages of a recipe on disk: which folders there are, how they are written, how many they hold.

    PAGES/SPLIT/KIND/0.jsonl      SPLIT is train or valid; KIND text, pairs, interleaved, questions
    PAGES/pictures/SPLIT/NAME.png the pictures that the pages name, as SPLIT/NAME.png

The lines are those of latentvision/mllm/documents/json_lines.py. Every folder has a page or more.
recipes/mllm/speech/folders.py says where speech lies, if there is any.
"""

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import write_json
from latentvision.mllm.documents.config import JsonLinesPagesConfig, open_pages
from latentvision.mllm.scores.text_losses import first_pages
from recipes.mllm.speech.folders import SPOKEN

SPLITS = ("train", "valid")
KINDS = ("text", "pairs", "interleaved", "questions")
PICTURES = "pictures"


def page_source(pages: Path, split: str, kind: str) -> JsonLinesPagesConfig:
    """The pages of a split and kind."""
    return JsonLinesPagesConfig(location=str(pages / split / kind), pictures=pages / PICTURES)


def write_pages(pages: Path, split: str, kind: str, rows: Iterable[dict[str, Any]]) -> None:
    """Writes the lines of a split and kind into a folder that appears as a whole."""
    folder = pages / split / kind
    folder.mkdir(parents=True, exist_ok=True)
    lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in rows]
    (folder / "0.jsonl").write_text("".join(lines), encoding="utf-8")


def survey(pages: Path) -> dict[str, Any]:
    """Numbers of pages, pictures and bytes of text by split and kind.

    Raises:
        DataError: a folder is missing or empty, or a line is damaged.
    """
    found: dict[str, Any] = {}
    for split in SPLITS:
        spoken = (SPOKEN,) if (pages / split / SPOKEN).is_dir() else ()
        for kind in (*KINDS, *spoken):
            source = open_pages(page_source(pages, split, kind))
            indices = [index for n in range(source.num_shards) for index in source.shard(n)]
            if not indices:
                raise DataError(
                    f"{source} has no pages; expected one or more for {split}, {kind}: add some"
                )
            sizes = [source.size(index) for index in indices]
            next(iter(first_pages(source, 1)))  # its pictures can be read
            found[f"{split}/{kind}"] = {
                "pages": len(sizes),
                "pictures": sum(size.num_pictures for size in sizes),
                "text_bytes": sum(size.text_bytes for size in sizes),
            }
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, required=True, help="folder of the pages")
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    arguments = parser.parse_args()
    write_json(arguments.out, survey(arguments.pages))


if __name__ == "__main__":
    run_recipe(main)
