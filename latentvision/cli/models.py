"""`latentvision models`: lists the names that --model takes, and describes model directories."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from latentvision.cli.options import JsonOption

KINDS = {"image_tokenizer": "tokenizer", "image_generator": "generator"}


def models(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or paths to describe; all built-in if none.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the built-in models, or describe model directories."""
    from latentvision.model_names import builtin_models, resolve_model

    known = builtin_models()
    if names:
        known = {name: resolve_model(name) or Path(name) for name in names}
    rows = [describe(name, path) for name, path in known.items()]
    if as_json:
        print(json.dumps(rows))
        return
    if not rows:
        print("no model is installed; `latentvision train` makes some; give a path to describe one")
    for row in rows:
        print(_line(row))


def describe(name: str, path: Path) -> dict[str, Any]:
    """Kind and sizes of a model directory and of its tokenizer; CheckpointError for another."""
    from latentspeech.core.errors import CheckpointError
    from latentspeech.core.model_directory import read_description
    from latentvision.tokenizer.model_directory import find_tokenizer, read_tokenizer_config

    kind = read_description(path).kind
    if kind not in KINDS:
        raise CheckpointError(
            f"{path} holds a model of kind {kind!r}; expected {' or '.join(map(repr, KINDS))}: "
            "give the directory of an image model"
        )
    config = read_tokenizer_config(find_tokenizer(path))
    return {
        "name": name,
        "kind": KINDS[kind],
        "path": str(path),
        "size_bytes": sum(file.stat().st_size for file in path.rglob("*") if file.is_file()),
        "image_size": config.image_size,
        "num_latents": config.num_latents,
        "latent_dim": config.latent_dim,
        "posterior": config.posterior.kind,
    }


def _line(row: dict[str, Any]) -> str:
    latents = f"{row['num_latents']} x {row['latent_dim']} latents, {row['posterior']}"
    parts = [row["name"], row["kind"], f"{row['image_size']} px", latents]
    return "  ".join([*parts, f"{row['size_bytes'] / 1e6:.1f} MB", row["path"]])
