"""Averages the weights of several checkpoints of a run, or of several model directories.

    python tools/average_checkpoints.py exp/tts --last 5 --out exp/tts_mean
    python tools/average_checkpoints.py exp/tts/checkpoints/step_00001000 ... --out exp/tts_mean
    python tools/average_checkpoints.py model_a model_b --out model_mean

From checkpoints it makes a run folder with one checkpoint, which `recipes.tts.09_pack_model`,
`recipes.codec.export` and a training accept like any other. Its weights are the mean of the
weights, its EMA weights the mean of the EMA weights, and its optimizer state is that of the newest
checkpoint. From model directories it makes a model directory.
"""

import argparse
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import CheckpointError, InputError
from latentspeech.core.storage.files import atomic_directory
from latentspeech.core.storage.model_directory import WEIGHTS_NAME, read_description, read_weights
from latentspeech.core.train.run_config import config_hash, write_config
from latentspeech.core.train.state.checkpoint import (
    STATE_NAME,
    Checkpoint,
    load_part,
    read_state,
    save_checkpoint,
)

LISTED = 3


def mean_of(paths: Sequence[Path], load: Callable[[Path], dict[str, Tensor]]) -> dict[str, Tensor]:
    """Returns {name: mean}, summed in float64; integer and bool tensors come from the last source.

    Only one source at a time is in memory. CheckpointError if names or shapes differ.
    """
    total: dict[str, Tensor] = {}
    for path in paths:
        tensors = load(path)
        if total:
            check_same_tensors(paths[0], total, path, tensors)
        for name, value in tensors.items():
            if not value.is_floating_point():
                total[name] = value
            elif name in total:
                total[name] += value.double()
            else:
                total[name] = value.double()
    last = load(paths[-1])
    return {
        name: (value / len(paths)).to(last[name].dtype) if value.is_floating_point() else value
        for name, value in total.items()
    }


def check_same_tensors(
    first: Path, known: dict[str, Tensor], other: Path, tensors: dict[str, Tensor]
) -> None:
    """Raises CheckpointError unless both have the same names and shapes."""
    differing = sorted(known.keys() ^ tensors.keys())
    differing += [
        name for name in known.keys() & tensors if known[name].shape != tensors[name].shape
    ]
    if differing:
        raise CheckpointError(
            f"{first} and {other} are of different models ({', '.join(differing[:LISTED])}); "
            "give checkpoints of one run, or models of the same sizes"
        )


def average_checkpoints(found: Sequence[Checkpoint], out: Path) -> None:
    """Writes a run folder with the mean of checkpoints, which must have equal configurations."""
    newest = max(found, key=lambda item: item.state.step)
    for item in found:
        if config_hash(item.state.config) != config_hash(newest.state.config):
            raise CheckpointError(
                f"{item.path} and {newest.path} were trained with different configurations; "
                "give checkpoints of one run"
            )
    if out.exists():
        raise InputError(f"{out} is there already; give another --out or remove it")
    paths = [item.path for item in found]
    out.mkdir(parents=True)
    write_config(out / "config.yaml", newest.state.config)
    save_checkpoint(
        out / "checkpoints",
        newest.state,
        {
            "model": mean_of(paths, lambda path: load_part(path, "model")),
            "ema": mean_of(paths, lambda path: load_part(path, "ema")),
            "optimizer": load_part(newest.path, "optimizer"),
        },
        keep=1,
    )


def average_models(paths: Sequence[Path], out: Path) -> None:
    """Writes a model directory with the mean weights; everything else is copied from the first."""
    descriptions = [read_description(path) for path in paths]
    for path, description in zip(paths, descriptions, strict=True):
        if description != descriptions[0]:
            raise CheckpointError(
                f"{paths[0]} and {path} have different configurations; give models of the same "
                "kind, sizes and codec"
            )
    if out.exists():
        raise InputError(f"{out} is there already; give another --out or remove it")
    weights = mean_of(paths, read_weights)
    names = ", ".join(path.resolve().name for path in paths)
    with atomic_directory(out) as temporary:
        shutil.copytree(paths[0], temporary, dirs_exist_ok=True)
        save_file(weights, temporary / WEIGHTS_NAME)
        (temporary / WEIGHTS_NAME).chmod(0o644)
        card = temporary / "README.md"
        text = card.read_text(encoding="utf-8") if card.is_file() else ""
        note = f"The weights are the mean of {len(paths)} models ({names}), not those scored above."
        card.write_text(f"{text}\n{note}\n", encoding="utf-8")


def last_checkpoints(run: Path, count: int) -> list[Checkpoint]:
    """Reads a run's newest `count` checkpoints; CheckpointError for too few or a damaged one."""
    folders = sorted((run / "checkpoints").glob("step_*"))
    if len(folders) < count:
        raise CheckpointError(
            f"{run} has {len(folders)} checkpoints; expected {count} or more for --last {count} "
            "(train.keep_checkpoints says how many a training keeps)"
        )
    return read_checkpoints(folders[-count:])


def read_checkpoints(paths: Iterable[Path]) -> list[Checkpoint]:
    """Reads the state of each checkpoint and compares its files with their hashes."""
    return [Checkpoint(path, read_state(path)) for path in paths]


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sources", type=Path, nargs="+", help="checkpoints, models, or one run")
    parser.add_argument("--last", type=int, default=0, help="number of newest checkpoints of a run")
    parser.add_argument("--out", type=Path, required=True, help="new folder")
    arguments = parser.parse_args()
    sources: list[Path] = arguments.sources
    torch.set_grad_enabled(False)
    if arguments.last:
        if len(sources) != 1 or arguments.last < 1:
            raise InputError("--last counts checkpoints of one run; give one folder and 1 or more")
        average_checkpoints(last_checkpoints(sources[0], arguments.last), arguments.out)
    elif len(sources) < 2:
        raise InputError("a mean needs two sources or more; give them, or one run and --last N")
    elif all((path / STATE_NAME).is_file() for path in sources):
        average_checkpoints(read_checkpoints(sources), arguments.out)
    else:
        average_models(sources, arguments.out)
    print(arguments.out)


if __name__ == "__main__":
    run_recipe(main)
