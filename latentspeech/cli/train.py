"""`latentspeech train`: trains the run of a YAML file; the same command resumes it."""

from pathlib import Path
from typing import Annotated

import typer

from latentspeech.cli.options import JsonOption, QuietOption
from latentspeech.core.command import train_from_file

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
    from latentspeech.training.codec_run import CodecRunConfig, run_codec

    train_from_file(CodecRunConfig, run_codec, config, set_, quiet, as_json)


@app.command("tts")
def tts(
    config: ConfigOption,
    set_: SetOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a LatentLM TTS model on latent shards."""
    from latentspeech.training.tts_run import TTSRunConfig, run_tts

    train_from_file(TTSRunConfig, run_tts, config, set_, quiet, as_json)
