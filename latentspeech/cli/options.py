"""Options and output that several commands share."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Model directory. Default: $LATENTSPEECH_MODEL."),
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Say nothing but errors.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]


def report(values: dict[str, Any], text: str, as_json: bool, quiet: bool) -> None:
    """The result of a command: JSON on stdout, or a line on stderr unless quiet."""
    if as_json:
        print(json.dumps(values))
    elif not quiet:
        print(text, file=sys.stderr)


def codec_directory(model: str | None) -> Path:
    """The codec's model directory: the one given, or that inside a TTS model directory."""
    from latentspeech.tts.models import resolve_model

    directory = resolve_model(model)
    nested = directory / "codec"
    return nested if nested.is_dir() else directory
