"""`latentvision train lm|dit|givt|vq|mar`: trains a generator; the same command resumes it."""

from pathlib import Path
from typing import Literal, get_args

import typer

from latentspeech.core.command import train_from_file
from latentvision.cli.options import (
    ConfigOption,
    JsonOption,
    QuietOption,
    SetOption,
)

GeneratorKind = Literal["lm", "dit", "givt", "vq", "mar"]

_HELP = {
    "lm": "Train an image LatentLM on latent shards.",
    "dit": "Train the DiT twin on latent shards.",
    "givt": "Train a GIVT, which has a mixture of Gaussians for a head, on latent shards.",
    "vq": "Train a softmax over the codes of a VQ tokenizer on its shards.",
    "mar": "Train a masked model with a diffusion head on latent shards.",
}


def register(app: typer.Typer) -> None:
    """Adds a command for each kind of generator to `latentvision train`."""
    for kind in get_args(GeneratorKind):
        _add(app, kind)


def _add(app: typer.Typer, kind: GeneratorKind) -> None:
    @app.command(kind, help=_HELP[kind])
    def command(
        config: ConfigOption,
        set_: SetOption = None,
        quiet: QuietOption = False,
        as_json: JsonOption = False,
    ) -> None:
        train_generator(kind, config, set_ or [], quiet, as_json)


def train_generator(
    kind: GeneratorKind, config: Path, changes: list[str], quiet: bool, as_json: bool
) -> None:
    """Runs the training that a YAML file describes.

    Raises:
        ConfigError: the file is wrong, or its model is of another kind.
    """
    from latentspeech.core.errors import ConfigError
    from latentspeech.core.train.engine import TrainResult
    from latentvision.training.generator_run import GeneratorRunConfig, run_generator

    def train(run: GeneratorRunConfig) -> TrainResult:
        if run.model.kind != kind:
            raise ConfigError(
                f"{config} has model.kind {run.model.kind}; expected {kind}: use `latentvision "
                f"train {run.model.kind}`, or give a configuration of that kind"
            )
        return run_generator(run)

    train_from_file(GeneratorRunConfig, train, config, changes, quiet, as_json)
