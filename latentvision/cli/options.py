"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

ModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Model directory or name. Default: $LATENTVISION_MODEL."),
]
ConfigOption = Annotated[Path, typer.Option("--config", help="YAML file of the run.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Change one setting: a.b=c. May be repeated.")
]
DeviceOption = Annotated[str, typer.Option("--device", help="cpu, cuda, cuda:N or auto.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Print nothing but errors.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
