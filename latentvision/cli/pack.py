"""`latentvision pack`: makes a model directory of a run of a generator or a model of pages."""

from pathlib import Path
from typing import Annotated

import typer

from latentspeech.core.command import report
from latentvision.cli.options import JsonOption, QuietOption


def pack(
    exp_dir: Annotated[Path, typer.Argument(help="Folder of the run.")],
    out: Annotated[Path, typer.Argument(help="Model directory to write; replaced if it exists.")],
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Pack the averaged weights of a generator's or a model of pages' run with the tokenizers."""
    from latentspeech.core.config import read_yaml
    from latentspeech.core.train.engine import CONFIG_NAME
    from latentvision.training.pack_generator import pack_generator
    from latentvision.training.pack_mllm import pack_page_model

    if "text_tokenizer" in read_yaml(exp_dir / CONFIG_NAME):
        pack_page_model(exp_dir, out)
    else:
        pack_generator(exp_dir, out)
    report({"out": str(out)}, f"{out}: packed from {exp_dir}", as_json, quiet)
