"""`latentvision train`: trains the run of a YAML file; the same command resumes it."""

import typer

from latentspeech.core.command import report
from latentvision.cli.options import (
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
    show_log,
)

app = typer.Typer(no_args_is_help=True, help="Train a tokenizer or a generator of images.")


@app.command("tokenizer")
def tokenizer(
    config: ConfigOption,
    set_: SetOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train an image tokenizer: a sigma-VAE, or one of its twins."""
    from latentspeech.core.config import load_config
    from latentvision.training.tokenizer_run import TokenizerRunConfig, run_tokenizer

    show_log(quiet)
    run = load_config(TokenizerRunConfig, config, set_ or ())
    result = run_tokenizer(run)
    values = {"exp_dir": str(run.exp_dir), **result._asdict()}
    report(values, f"{run.exp_dir}: step {result.step} ({result.reason})", as_json, quiet)
