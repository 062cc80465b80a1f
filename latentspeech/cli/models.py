"""`latentspeech models`: what can be given to --model by name."""

import json
from typing import Annotated

import typer

from latentspeech.cli.options import JsonOption


def models(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or paths to describe; all built-in if none.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the built-in models, or describe model directories."""
    from latentspeech.core.model_directory import read_model_config
    from latentspeech.tts.model_directory import KIND
    from latentspeech.tts.models import builtin_models, resolve_model

    known = {name: resolve_model(name) for name in names} if names else builtin_models()
    rows = []
    for name, path in known.items():
        config = read_model_config(path, KIND)
        backbone = config["backbone"]
        size_bytes = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        rows.append(
            {
                "name": name,
                "path": str(path),
                "layers": backbone["num_layers"],
                "model_dim": backbone["model_dim"],
                "size_bytes": size_bytes,
            }
        )
    if as_json:
        print(json.dumps(rows))
        return
    if not rows:
        print("no model ships yet; `make demo` trains a small one; give its path to describe it")
    for row in rows:
        size = row["size_bytes"] / 1e6
        print(f"{row['name']}  {row['layers']} x {row['model_dim']}  {size:.1f} MB  {row['path']}")
