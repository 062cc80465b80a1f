"""`latentvision pack`: makes a model directory of a generator's run."""

from pathlib import Path
from typing import Annotated

import typer

from latentspeech.core.command import report
from latentvision.cli.options import JsonOption, QuietOption


def pack(
    exp_dir: Annotated[Path, typer.Argument(help="Folder of the run of a generator.")],
    out: Annotated[Path, typer.Argument(help="Model directory to write; replaced if it exists.")],
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Pack the averaged weights of a generator's run with their tokenizer."""
    from latentvision.training.pack_generator import pack_generator

    pack_generator(exp_dir, out)
    report({"out": str(out)}, f"{out}: packed from {exp_dir}", as_json, quiet)
