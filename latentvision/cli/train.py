"""`latentvision train`: trains the run of a YAML file; the same command resumes it."""

import typer

from latentspeech.core.command import train_from_file
from latentvision.cli.options import (
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
)

app = typer.Typer(
    no_args_is_help=True,
    help="Train a tokenizer, generator or classifier of images, or a model of text and pictures.",
)


@app.command("tokenizer")
def tokenizer(
    config: ConfigOption,
    set_: SetOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train an image tokenizer: a sigma-VAE, or one of its twins."""
    from latentvision.training.tokenizer_run import TokenizerRunConfig, run_tokenizer

    train_from_file(TokenizerRunConfig, run_tokenizer, config, set_, quiet, as_json)


@app.command("classifier")
def classifier(
    config: ConfigOption,
    set_: SetOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a classifier of real pictures, which judges samples; model/ appears in its folder."""
    from latentvision.training.classifier_run import ClassifierRunConfig, run_classifier

    train_from_file(ClassifierRunConfig, run_classifier, config, set_, quiet, as_json)


@app.command("mllm")
def mllm(
    config: ConfigOption,
    set_: SetOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a model of text and pictures: a LatentLM, Transfusion or a model of codes."""
    from latentvision.training.mllm_run import PageRunConfig, run_pages

    train_from_file(PageRunConfig, run_pages, config, set_, quiet, as_json)
