"""Makes a few toy pages about coloured shapes, for runs at toy size; every call makes the same."""

import argparse
import itertools
import random
from pathlib import Path
from typing import Any

from latentspeech.core.command import run_recipe
from latentspeech.core.storage.files import atomic_directory
from recipes.image.pictures.toy import CLASSES, toy_picture
from recipes.mllm.page_set import PICTURES, write_pages

_PICTURES_OF = {"train": 60, "valid": 20}


def make_toy_pages(out: Path) -> None:
    """Writes the pages, as a whole."""
    chance = random.Random(0)
    with atomic_directory(out) as temporary:
        for split, count in _PICTURES_OF.items():
            folder = temporary / PICTURES / split
            folder.mkdir(parents=True)
            names = [CLASSES[number % len(CLASSES)] for number in range(count)]
            files = [f"{split}/{number:03d}.png" for number in range(count)]
            for name, file in zip(names, files, strict=True):
                toy_picture(name, chance).save(temporary / PICTURES / file)
            rows = toy_rows(names, files)
            for kind, lines in rows.items():
                write_pages(temporary, split, kind, lines)


def toy_rows(names: list[str], files: list[str]) -> dict[str, list[dict[str, Any]]]:
    """The pages of pictures with these shapes."""
    pairs = list(zip(names, files, strict=True))
    interleaved = [
        {
            "parts": [
                {"text": f"first a {one[0]}: "},
                {"picture": one[1]},
                {"text": f" then a {other[0]}: "},
                {"picture": other[1]},
            ]
        }
        for one, other in itertools.pairwise(pairs)
    ]
    questions = []
    for number, (name, file) in enumerate(pairs):
        asked = CLASSES[number // len(CLASSES) % len(CLASSES)]
        answer = "yes" if asked == name else "no"
        parts = [{"picture": file}, {"question": f"is it a {asked}?"}, {"answer": answer}]
        questions.append({"parts": parts})
    return {
        "text": [
            {"text": f"a {name} is a shape, and there are {n} of them."}
            for n, name in enumerate(names)
        ],
        "pairs": [{"picture": file, "caption": f"a {name}"} for name, file in pairs],
        "interleaved": interleaved,
        "questions": questions,
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder; made anew if it exists")
    make_toy_pages(parser.parse_args().out)


if __name__ == "__main__":
    run_recipe(main)
