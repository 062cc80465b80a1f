"""The configuration of a run: config.yaml in its folder, and the keys that may differ on resume."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from latentspeech.core.errors import CheckpointError
from latentspeech.core.storage.files import atomic_path
from latentspeech.core.storage.provenance import git_commit

SCHEMA_VERSION = 1

# Last parts of keys that change how long, how often and where a run trains. They never change what
# a step computes, except for rounding.
FREE_KEYS = frozenset(
    {
        "max_steps",
        "max_seconds",
        "log_every",
        "validate_every",
        "checkpoint_every",
        "keep_checkpoints",
        "num_workers",
        "num_threads",
        "skip_non_finite",
        "peer_timeout_s",
        "strategy",
        "activation_checkpointing",
        "compile",
        "devices",
        "num_nodes",
        "exp_dir",
    }
)

# First parts of keys (sections) that training does not use.
FREE_SECTIONS = frozenset({"sampling"})


def plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration in JSON's types, so that equal configurations compare equal."""
    values: dict[str, Any] = json.loads(json.dumps(config, default=str))
    return values


def config_hash(config: Mapping[str, Any]) -> str:
    """A hash of a configuration that ignores the order of its keys, and free keys."""
    fixed = {key: value for key, value in _flatten(plain(config)) if _is_fixed(key)}
    return hashlib.sha256(json.dumps(fixed, sort_keys=True).encode()).hexdigest()


def check_same_config(saved: Mapping[str, Any], current: Mapping[str, Any], path: Path) -> None:
    """Raises CheckpointError, which names the keys, if keys differ that must be equal."""
    old = dict(_flatten(plain(saved)))
    new = dict(_flatten(plain(current)))
    absent = "(absent)"
    changes = [
        f"{key}: {old.get(key, absent)} -> {new.get(key, absent)}"
        for key in sorted(set(old) | set(new))
        if _is_fixed(key) and old.get(key, absent) != new.get(key, absent)
    ]
    if changes:
        raise CheckpointError(
            f"{path} was trained with another configuration ({'; '.join(changes)}); "
            "set these back or train into another folder"
        )


def write_config(path: Path, config: Mapping[str, Any]) -> None:
    """Writes the resolved configuration as loadable YAML, with version and commit as comments."""
    text = yaml.safe_dump(plain(config), sort_keys=False, allow_unicode=True)
    head = f"# schema_version: {SCHEMA_VERSION}\n# git_commit: {git_commit() or 'unknown'}\n"
    with atomic_path(path) as temporary:
        temporary.write_text(head + text, encoding="utf-8")


def _is_fixed(key: str) -> bool:
    return key.rpartition(".")[2] not in FREE_KEYS and key.partition(".")[0] not in FREE_SECTIONS


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
