"""Draws many pictures into a folder, each a PNG of its own; the same call goes on where it stopped.

    OUT/CLASS/000000.png, 000001.png, ...    or OUT/000000.png for pictures without a class

A picture depends on the seed, the class and its number alone, so those that are there stay.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from latentspeech.core.errors import ConfigError, InputError
from latentspeech.core.seeds import derive_seed
from latentspeech.core.storage.files import remove_leftovers
from latentvision.generation.painter import BATCH_SIZE, Painter
from latentvision.images.writing import read_provenance, write_png

Progress = Callable[[int, int], None]


def draw_folder(
    painter: Painter,
    out_dir: Path,
    labels: Sequence[str | int | None],
    num: int,
    seed: int = 0,
    progress: Progress = lambda done, of_all: None,
    **changes: Any,
) -> int:
    """Draws `num` pictures of each class that are not there yet; returns how many it drew.

    Args:
        painter: the model.
        out_dir: the folder; it is made if it does not exist.
        labels: classes by name or number; None draws without one.
        num: pictures of each class.
        seed: every class has a seed of its own, which derives from it.
        progress: is told (pictures done, all).
        changes: settings of `ImageSampling` that differ from the model's.

    Raises:
        InputError: there is no such class, or a picture of other settings is in the folder.
        ConfigError: `num` or a setting is out of range, or a setting has no effect on this model.
    """
    if num < 1:
        raise ConfigError(f"num is {num}; expected at least 1 picture of each class")
    done = drawn = 0
    total = num * len(labels)
    named = [painter.class_of(label) for label in labels]  # all are checked before any is drawn
    for number, name in named:
        folder = out_dir if name is None else out_dir / name.replace("/", "_")
        own_seed = derive_seed(seed, "class", number)
        provenance = painter.provenance(name, own_seed, **changes)
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
        for first in range(0, num, BATCH_SIZE):
            numbers = range(first, min(first + BATCH_SIZE, num))
            missing = [n for n in numbers if not _is_there(folder, n, provenance["Comment"])]
            if missing:
                pictures = painter.sample(
                    name, missing[-1] + 1 - missing[0], own_seed, first=missing[0], **changes
                )
                for n in missing:
                    chunks = {**provenance, "Comment": _comment(provenance["Comment"], n)}
                    write_png(_path(folder, n), pictures.pixels[n - missing[0]], chunks)
            drawn += len(missing)
            done += len(numbers)
            progress(done, total)
    return drawn


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:06d}.png"


def _comment(drawn_from: str, number: int) -> str:
    return f"{drawn_from}, picture {number}"


def _is_there(folder: Path, number: int, drawn_from: str) -> bool:
    """Whether the picture was drawn before; InputError if by another model, seed or settings."""
    path = _path(folder, number)
    if not path.exists():
        return False
    try:
        found = read_provenance(path).get("Comment", "")
    except (OSError, SyntaxError) as error:
        raise InputError(f"{path} is no whole picture ({error}); remove it") from None
    if found != _comment(drawn_from, number):
        raise InputError(
            f"{path} is another picture ({found or 'of unknown origin'}); expected one {drawn_from}"
            "; give an empty folder"
        )
    return True
