"""Records what a stage read when it ran, so that the next run can skip the stage.

The record lies in stages/NN_name/ of exp_dir, or of data_dir for a stage that writes there. The
stage's header decides what counts. In `Reads`, a part that begins with $ is a path, and one that
begins with -- is an option (for `--..._config` the settings in that YAML file and its bases count).
In `Writes`, a $ part is a path that must exist for the stage to be done. Other words are for
people. Small files count by content, large ones by size and time of change.
"""

import argparse
import datetime
import hashlib
import json
import logging
import os
import re
from collections.abc import Iterable
from pathlib import Path
from string import Template
from typing import Any, Literal

from latentspeech.core.command import run_recipe
from latentspeech.core.config import read_yaml
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.storage.files import write_json
from latentspeech.core.storage.provenance import git_commit

logger = logging.getLogger(__name__)

Status = Literal["done", "run"]
SMALL_FILE_BYTES = 1 << 20


def header_parts(stage: Path, field: str) -> list[str]:
    """The comma-separated parts of one header line of a stage."""
    found = re.search(rf"^# {field}: *(.*)$", stage.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise ConfigError(f"{stage} has no header line '# {field}:'")
    return [part.strip() for part in found.group(1).split(",")]


def expand(part: str) -> Path:
    """The path that a part like $exp_dir/codec means."""
    return Path(Template(part).substitute(os.environ))


def fingerprint(path: Path) -> str:
    """A hash of a file or of a folder's files."""
    files = sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]
    digest = hashlib.sha256()
    for file in files:
        if file.name.startswith("events.out.tfevents"):
            continue
        digest.update(str(file.relative_to(path.parent)).encode())
        size, changed_ns = file.stat().st_size, file.stat().st_mtime_ns
        digest.update(
            file.read_bytes() if size <= SMALL_FILE_BYTES else f"{size} {changed_ns}".encode()
        )
    return digest.hexdigest()[:16]


def record_folder(stage: Path) -> Path:
    """Where the record lies: in data_dir for a stage that writes there, so experiments share it."""
    owner = "data_dir" if header_parts(stage, "Writes")[0].startswith("$data_dir") else "exp_dir"
    return Path(os.environ[owner]) / "stages" / stage.stem


def read_inputs(stage: Path) -> dict[str, str]:
    """A hash of the present value of each part of `Reads`; DataError if a file is missing."""
    inputs = {}
    for part in header_parts(stage, "Reads"):
        if part.startswith("$"):
            path = expand(part)
            if not path.exists():
                raise DataError(
                    f"{stage.stem} reads {path}, which does not exist; {_maker(stage, part)}"
                )
            inputs[part] = fingerprint(path)
        elif part.startswith("--"):
            value = os.environ.get(part[2:], "")
            settings = read_yaml(Path(value)) if part.endswith("_config") and value else value
            text = json.dumps(settings, sort_keys=True, default=str)
            inputs[part] = hashlib.sha256(text.encode()).hexdigest()[:16]
    return inputs


def check(stage: Path, folder: Path, force: bool = False) -> Status:
    """Whether the stage must run; if so, notes its inputs for `write`.

    The folder of a training that began with other data, or is forced, is renamed: going on in it
    would mix two experiments. Whether changed settings are acceptable the training itself decides.
    """
    inputs = read_inputs(stage)
    done, started = _read_json(folder / "done.json"), _read_json(folder / "inputs.json")
    unchanged = done.get("inputs") == inputs and all(path.exists() for path in written_paths(stage))
    # A stage without any known input looks at the machine, so it runs each time.
    if unchanged and inputs and not force:
        return "done"
    other_data = any(started.get(part, inputs[part]) != inputs[part] for part in _paths(inputs))
    if other_data or force:
        set_aside_runs(stage)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "inputs.json", inputs)
    return "run"


def set_aside_runs(stage: Path) -> None:
    """Renames the folders in which the stage trains, if there are any."""
    for path in written_paths(stage):
        if path.name == "checkpoints" and path.parent.is_dir():
            now = datetime.datetime.now(tz=datetime.UTC).strftime("%Y%m%dT%H%M%S")
            kept = path.parent.with_name(f"{path.parent.name}.{now}")
            path.parent.rename(kept)
            logger.info("training starts anew; the earlier run is kept as %s", kept)


def written_paths(stage: Path) -> list[Path]:
    """The paths that must exist after the stage."""
    return [expand(part) for part in _paths(header_parts(stage, "Writes"))]


def write(stage: Path, folder: Path, command: str, seconds: float) -> None:
    """Marks a stage as done; DataError if what it should have written is not there."""
    for path in written_paths(stage):
        if not path.exists():
            raise DataError(f"{stage.stem} ended well but did not write {path}; that is our bug")
    inputs = _read_json(folder / "inputs.json") or read_inputs(stage)
    record = {
        "command": command,
        "commit": git_commit(),
        "config_hash": hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:16],
        "inputs": inputs,
        "seconds": seconds,
    }
    write_json(folder / "done.json", record)


def _paths(parts: Iterable[str]) -> list[str]:
    return [part for part in parts if part.startswith("$")]


def _maker(stage: Path, part: str) -> str:
    """Which stage to run for a missing input."""
    for other in sorted(stage.parent.glob("[0-9][0-9]_*.sh")):
        outputs = _paths(header_parts(other, "Writes"))
        if any(
            f"{part}/".startswith(f"{path}/") or path.startswith(f"{part}/") for path in outputs
        ):
            return f"stage {int(other.name[:2])} makes it: --stage {int(other.name[:2])}"
    return "see --help for what makes it"


def _read_json(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError):
        return {}
    return values


def main() -> None:
    """`check` prints the status; `write` marks the stage as done."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["check", "write"])
    parser.add_argument("--stage", type=Path, required=True)
    parser.add_argument("--force", action="store_true", help="run although done")
    parser.add_argument("--command", default="", help="what was typed")
    parser.add_argument("--seconds", type=float, default=0.0)
    arguments = parser.parse_args()
    folder = record_folder(arguments.stage)
    if arguments.action == "check":
        print(check(arguments.stage, folder, arguments.force))
    else:
        write(arguments.stage, folder, arguments.command, arguments.seconds)


if __name__ == "__main__":
    run_recipe(main)
