"""Opens the pictures of a recipe and writes what they are: sources, classes, numbers by class."""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.core.storage.files import write_json
from latentvision.data.sources.config import SourceConfig, open_source
from recipes.image.source_option import parse_source


def survey(config: SourceConfig) -> dict[str, Any]:
    """A source's settings, its classes, and the number of pictures of each.

    Raises:
        DataError: a picture has no class, which a class-conditional model cannot be without.
    """
    source = open_source(config)
    counts: Counter[int | None] = Counter(
        source.record(index).label
        for number in range(source.num_shards)
        for index in source.shard(number)
    )
    if None in counts:
        raise DataError(
            f"{source}: {counts[None]} of {counts.total()} pictures have no class; expected a "
            "class for each, as a folder of its own or a label: add them, or give other pictures"
        )
    names = list(source.class_names)
    labels = [label for label in counts if label is not None]
    names += map(str, range(len(names), max(labels) + 1))
    return {
        "source": config.model_dump(mode="json"),
        "num_pictures": counts.total(),
        "classes": {name: counts[number] for number, name in enumerate(names)},
    }


def list_pictures(train: SourceConfig, valid: SourceConfig) -> dict[str, Any]:
    """Both surveys; DataError unless they have the same classes in the same order."""
    found = {"train": survey(train), "valid": survey(valid)}
    names, others = ([*part["classes"]] for part in found.values())
    if names != others:
        differing = sorted(set(names) ^ set(others)) or names
        raise DataError(
            f"the pictures to train on have {len(names)} classes and those to validate on "
            f"{len(others)}; {differing[0]!r} differs: expected the same classes in both"
        )
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--train_source", type=parse_source, required=True)
    parser.add_argument("--valid_source", type=parse_source, required=True)
    parser.add_argument("--out", type=Path, required=True, help="JSON file")
    arguments = parser.parse_args()
    write_json(arguments.out, list_pictures(arguments.train_source, arguments.valid_source))


if __name__ == "__main__":
    run_recipe(main)
