"""Strict configuration: frozen pydantic models, YAML files with a base, and `--set a.b=c`.

An unknown key is an error that names the nearest known one. A YAML file may name another one under
the key `base` (a path relative to itself); its own keys then override that file's, mapping by
mapping.
"""

import difflib
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from latentspeech.core.errors import ConfigError

ConfigT = TypeVar("ConfigT", bound="Config")


class Config(BaseModel):
    """Base of every configuration: immutable, finite, no unknown keys, no silent type changes."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False
    )


def parse_config(cls: type[ConfigT], values: Mapping[str, Any], origin: str = "config") -> ConfigT:
    """Validates `values` against `cls`; raises ConfigError naming the key and what was expected."""
    try:
        return cls.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{origin}: " + "; ".join(_explain(cls, error))) from None


def load_config(cls: type[ConfigT], path: Path, overrides: Iterable[str] = ()) -> ConfigT:
    """Reads a YAML file (with its `base` chain), applies `a.b=c` overrides and validates."""
    values = read_yaml(path)
    for override in overrides:
        apply_override(values, override)
    return parse_config(cls, values, origin=str(path))


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a YAML mapping and merges it over the file named by its `base` key, if any."""
    if not path.is_file():
        raise ConfigError(f"config file not found: {path}; give the path of an existing YAML file")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"{path} is not valid YAML: {reason}") from None
    values = {} if values is None else values
    if not isinstance(values, dict):
        raise ConfigError(f"{path} holds a {type(values).__name__}; expected `key: value` lines")
    base = values.pop("base", None)
    return values if base is None else merge(read_yaml(path.parent / base), values)


def merge(base: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Returns `base` with the entries of `over` put on top, nested mappings merged key by key.

    A nested mapping of another `kind` replaces the old one, because their keys differ.
    """
    result = dict(base)
    for key, value in over.items():
        old = result.get(key)
        if isinstance(old, dict) and isinstance(value, Mapping) and _same_kind(old, value):
            result[key] = merge(old, value)
        else:
            result[key] = value
    return result


def _same_kind(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    return "kind" not in new or new["kind"] == old.get("kind")


def apply_override(values: dict[str, Any], override: str) -> None:
    """Applies one `a.b=c` in place; `c` is read as YAML, so numbers, lists and null work."""
    path, separator, text = override.partition("=")
    if not separator or not path:
        raise ConfigError(f"--set {override!r} is not of the form a.b=value")
    *parents, last = path.split(".")
    node = values
    for name in parents:
        child = node.setdefault(name, {})
        if not isinstance(child, dict):
            raise ConfigError(f"--set {override!r}: {name} is a value, not a group of settings")
        node = child
    try:
        node[last] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {override!r}: the value is not valid YAML") from None


def dump_yaml(config: Config) -> str:
    """The whole configuration as YAML that `load_config` reads back."""
    return yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def _explain(cls: type[BaseModel], error: ValidationError) -> Iterable[str]:
    for problem in error.errors():
        location = [str(part) for part in problem["loc"]]
        where = ".".join(location) or "config"
        if problem["type"] == "extra_forbidden":
            known = _field_names(cls)
            near = difflib.get_close_matches(location[-1], known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"known keys: {', '.join(known)}"
            yield f"unknown key {where!r}; {hint}"
        else:
            # A check of several settings gets all of them, and its message says what it found.
            of_several = problem["type"] == "value_error" and isinstance(problem["input"], Mapping)
            found = "" if of_several else f" = {problem['input']!r}"
            yield f"{where}{found}: {problem['msg'].removeprefix('Value error, ')}"


def _field_names(cls: type[BaseModel]) -> list[str]:
    """Every key that may occur anywhere under `cls`, for suggestions."""
    names: dict[str, None] = {}
    pending: list[Any] = [cls]
    seen: set[Any] = set()
    while pending:
        kind = pending.pop()
        pending.extend(typing.get_args(kind))
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
            seen.add(kind)
            for name, field in kind.model_fields.items():
                names[name] = None
                pending.append(field.annotation)
    return sorted(names)
