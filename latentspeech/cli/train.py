"""`latentspeech train`: trains the run of a YAML file; the same command resumes it."""

import logging
from pathlib import Path
from typing import Annotated

import typer

from latentspeech.cli.options import JsonOption, QuietOption
from latentspeech.core.command import report

app = typer.Typer(no_args_is_help=True, help="Train a codec or a TTS model.")

ConfigOption = Annotated[Path, typer.Option("--config", help="YAML file of the run.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", help="Change one setting: a.b=c. May be repeated.")
]


@app.command("codec")
def codec(
    config: ConfigOption,
    set_: SetOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a sigma-VAE codec on lhotse cuts."""
    from latentspeech.core.config import load_config
    from latentspeech.training.codec_run import CodecRunConfig, run_codec

    _log(quiet)
    run = load_config(CodecRunConfig, config, set_ or ())
    result = run_codec(run)
    values = {"exp_dir": str(run.exp_dir), **result._asdict()}
    report(values, f"{run.exp_dir}: step {result.step} ({result.reason})", as_json, quiet)


@app.command("tts")
def tts(
    config: ConfigOption,
    set_: SetOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a LatentLM TTS model on latent shards."""
    from latentspeech.core.config import load_config
    from latentspeech.training.tts_run import TTSRunConfig, run_tts

    _log(quiet)
    run = load_config(TTSRunConfig, config, set_ or ())
    result = run_tts(run)
    values = {"exp_dir": str(run.exp_dir), **result._asdict()}
    report(values, f"{run.exp_dir}: step {result.step} ({result.reason})", as_json, quiet)


def _log(quiet: bool) -> None:
    level = logging.WARNING if quiet else logging.INFO
    logging.basicConfig(level=level, format="%(asctime)s %(levelname)s %(message)s")
