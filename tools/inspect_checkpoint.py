"""Shows step, configuration, sizes, norms and NaN of a checkpoint or model directory, or of two.

    python tools/inspect_checkpoint.py exp/tts                     the newest checkpoint of a run
    python tools/inspect_checkpoint.py exp/tts/checkpoints/step_00001000 --other exp/tts
    python tools/inspect_checkpoint.py model_directory --json

With `--other` it also shows how the two differ. A checkpoint's files are compared with their
hashes. The exit code is 1 if there are NaN or infinite values.
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from torch import Tensor

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import CheckpointError
from latentspeech.core.storage.model_directory import (
    WEIGHTS_NAME,
    read_description,
    read_weights,
    weights_hash,
)
from latentspeech.core.train.state.checkpoint import (
    PARTS,
    STATE_NAME,
    load_part,
    newest_checkpoint,
    read_state,
)

Tensors = dict[str, Tensor]


class Contents(NamedTuple):
    """The tensors of a folder by part, its configuration and other facts."""

    path: Path
    about: dict[str, Any]
    config: dict[str, Any]
    parts: dict[str, Tensors]


def read_contents(path: Path) -> Contents:
    """Reads a checkpoint, the newest of a run, or a model directory; else CheckpointError."""
    if (path / "checkpoints").is_dir():
        found = newest_checkpoint(path)
        if found is None:
            raise CheckpointError(f"{path} has no checkpoint; train there first")
        path = found.path
    if (path / STATE_NAME).is_file():
        state = read_state(path)
        about = state.model_dump(mode="json", exclude={"config", "files"})
        about["files_bytes"] = {name: file.size_bytes for name, file in state.files.items()}
        about["hashes"] = "match"  # read_state raises if they do not
        return Contents(path, about, state.config, {part: load_part(path, part) for part in PARTS})
    description = read_description(path)
    about = {
        "kind": description.kind,
        "weights_hash": weights_hash(path),
        "files_bytes": {WEIGHTS_NAME: (path / WEIGHTS_NAME).stat().st_size},
    }
    return Contents(path, about, description.config, {"model": read_weights(path)})


def summary(tensors: Tensors, depth: int) -> dict[str, Any]:
    """Returns counts, norms by group (the first `depth` parts of a name) and non-finite tensors."""
    squares: dict[str, float] = {}
    counts: dict[str, int] = {}
    bad: dict[str, int] = {}
    for name, value in tensors.items():
        group = ".".join(name.split(".")[:depth])
        counts[group] = counts.get(group, 0) + value.numel()
        square = float(value.double().square().sum())
        squares[group] = squares.get(group, 0.0) + square
        if not bool(value.isfinite().all()):
            bad[name] = int((~value.isfinite()).sum())
    groups = {
        name: {"values": counts[name], "norm": squares[name] ** 0.5} for name in sorted(counts)
    }
    return {
        "tensors": len(tensors),
        "values": sum(counts.values()),
        "norm": sum(squares.values()) ** 0.5,
        "not_finite": bad,
        "groups": groups,
    }


def difference(one: Tensors, other: Tensors, top: int) -> dict[str, Any]:
    """Compares two: the main number is the norm of the difference over the norm of `one`."""
    shared = sorted(one.keys() & other.keys())
    reshaped = [name for name in shared if one[name].shape != other[name].shape]
    relative: dict[str, float] = {}
    squares = moved = 0.0
    for name in shared:
        if name in reshaped:
            continue
        before, after = one[name].double(), other[name].double()
        change, size = float((after - before).norm()), float(before.norm())
        relative[name] = change / size if size else change
        moved, squares = moved + change**2, squares + size**2
    largest = sorted(relative, key=lambda name: -relative[name])[:top]
    return {
        "equal_tensors": sum(value == 0 for value in relative.values()),
        "changed_tensors": sum(value != 0 for value in relative.values()),
        "relative_norm": (moved / squares) ** 0.5 if squares else moved**0.5,
        "largest": {name: relative[name] for name in largest if relative[name] != 0},
        "only_in_first": sorted(one.keys() - other.keys()),
        "only_in_other": sorted(other.keys() - one.keys()),
        "other_shape": reshaped,
    }


def config_changes(one: dict[str, Any], other: dict[str, Any], prefix: str = "") -> list[str]:
    """Lists settings that differ, as "a.b: old -> new"."""
    changes: list[str] = []
    for key in sorted(one.keys() | other.keys()):
        old, new = one.get(key, "(absent)"), other.get(key, "(absent)")
        if isinstance(old, dict) and isinstance(new, dict):
            changes += config_changes(old, new, f"{prefix}{key}.")
        elif old != new:
            changes.append(f"{prefix}{key}: {old} -> {new}")
    return changes


def main() -> None:
    """Runs the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("path", type=Path, help="checkpoint, run folder or model directory")
    parser.add_argument("--other", type=Path, help="another one to compare with")
    parser.add_argument("--depth", type=int, default=2, help="parts of a name that make a group")
    parser.add_argument("--top", type=int, default=10, help="number of largest differences to show")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    found = read_contents(arguments.path)
    report: dict[str, Any] = {"path": str(found.path), **found.about, "config": found.config}
    report["parts"] = {
        # Optimizer state is named "turn/parameter/quantity"; its groups are the turns.
        name: summary(part, arguments.depth if name != "optimizer" else 1)
        for name, part in found.parts.items()
    }
    if arguments.other is not None:
        other = read_contents(arguments.other)
        report["other"] = {
            "path": str(other.path),
            **other.about,
            "config_changes": config_changes(found.config, other.config),
            "differences": {
                name: difference(part, other.parts[name], arguments.top)
                for name, part in found.parts.items()
                if name in other.parts
            },
        }
    text = (
        json.dumps(report, indent=2) if arguments.json else yaml.safe_dump(report, sort_keys=False)
    )
    print(text)
    if any(part["not_finite"] for part in report["parts"].values()):
        print("error: there are NaN or infinite values; see not_finite", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run_recipe(main)
