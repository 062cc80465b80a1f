"""`latentvision models`: lists the names that --model takes, and describes model directories."""

from pathlib import Path
from typing import Annotated, Any

import typer

from latentvision.cli.options import JsonOption

KINDS = {
    "image_tokenizer": "tokenizer",
    "image_generator": "generator",
    "image_classifier": "classifier",
    "page_model": "pages",
}


def models(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names or paths to describe; all built-in if none.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the built-in models, or describe model directories."""
    from latentspeech.core.command import show_models
    from latentvision.model_names import builtin_models, resolve_model

    known = builtin_models()
    if names:
        known = {name: resolve_model(name) or Path(name) for name in names}
    none = "no model is installed; `latentvision train` makes some; give a path to describe one"
    show_models(known, describe, _line, none, as_json)


def describe(path: Path) -> dict[str, Any]:
    """Kind and sizes of a model directory; CheckpointError for another folder."""
    from latentspeech.core.errors import CheckpointError
    from latentspeech.core.storage.model_directory import read_description
    from latentvision.eval.classifier import read_classifier
    from latentvision.mllm.model_directory import PICTURE_TOKENIZER, read_page_model_config
    from latentvision.tokenizer.model_directory import find_tokenizer, read_tokenizer_config

    kind = read_description(path).kind
    if kind not in KINDS:
        raise CheckpointError(
            f"{path} holds a model of kind {kind!r}; expected {' or '.join(map(repr, KINDS))}: "
            "give the directory of an image model"
        )
    if KINDS[kind] == "classifier":
        found = read_classifier(path)
        return {
            "kind": KINDS[kind],
            "image_size": found.network.image_size,
            "num_classes": len(found.class_names),
            "test_accuracy": found.test.accuracy,
        }
    pages = KINDS[kind] == "pages"
    config = read_tokenizer_config(path / PICTURE_TOKENIZER if pages else find_tokenizer(path))
    of_pages = {"model": read_page_model_config(path).model.kind} if pages else {}
    return {
        "kind": KINDS[kind],
        **of_pages,
        "image_size": config.image_size,
        "num_latents": config.num_latents,
        "latent_dim": config.latent_dim,
        "posterior": config.posterior.kind,
    }


def _line(row: dict[str, Any]) -> str:
    if row["kind"] == "classifier":
        what = f"{row['num_classes']} classes, {row['test_accuracy']:.4f} of test pictures right"
    else:
        what = f"{row['num_latents']} x {row['latent_dim']} latents, {row['posterior']}"
    return "  ".join([row["name"], row["kind"], f"{row['image_size']} px", what])
