"""Options that several commands share."""

from typing import Annotated

import typer

ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Model directory or name. Default: $LATENTSPEECH_MODEL."),
]
CodecOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        help="Codec or TTS model, directory or name. Default: $LATENTSPEECH_MODEL, or else the "
        "codec that ships.",
    ),
]
DecoderOption = Annotated[
    str | None,
    typer.Option(
        "--decoder",
        help="Another decoder of the same latents, by name (`latentspeech models` lists them). "
        "Default: the codec's own.",
    ),
]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
