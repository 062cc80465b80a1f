"""Makes a small folder of coloured shapes, one folder a class, for runs at toy size.

A disc, a square and a cross of random colour, size and place, on a ground of another colour.
"""

import argparse
import random
from pathlib import Path

from PIL import Image, ImageDraw

from latentspeech.core.command import run_recipe
from latentspeech.core.storage.files import atomic_directory

CLASSES = ("cross", "disc", "square")
SIZE = 40  # pixels a side
_SPLITS = {"train": 30, "valid": 10}  # pictures of each class


def toy_picture(name: str, chance: random.Random) -> Image.Image:
    """A picture of that class."""
    ground, colour = (tuple(chance.randrange(256) for _ in range(3)) for _ in range(2))
    picture = Image.new("RGB", (SIZE, SIZE), ground)
    draw = ImageDraw.Draw(picture)
    radius = chance.randrange(SIZE // 6, SIZE // 3)
    x, y = (chance.randrange(radius, SIZE - radius) for _ in range(2))
    box = (x - radius, y - radius, x + radius, y + radius)
    match name:
        case "disc":
            draw.ellipse(box, fill=colour)
        case "square":
            draw.rectangle(box, fill=colour)
        case "cross":
            draw.line((x - radius, y, x + radius, y), fill=colour, width=SIZE // 8)
            draw.line((x, y - radius, x, y + radius), fill=colour, width=SIZE // 8)
    return picture


def make_toy_pictures(out: Path) -> None:
    """Writes OUT/train and OUT/valid, as a whole; every call makes the same pictures."""
    chance = random.Random(0)
    with atomic_directory(out) as temporary:
        for split, count in _SPLITS.items():
            for name in CLASSES:
                folder = temporary / split / name
                folder.mkdir(parents=True)
                for number in range(count):
                    toy_picture(name, chance).save(folder / f"{number:03d}.png")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder; made anew if it exists")
    make_toy_pictures(parser.parse_args().out)


if __name__ == "__main__":
    run_recipe(main)
