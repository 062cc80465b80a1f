"""The `latentspeech` command: a file per group, errors in one line, exit code 2 for bad input.

Commands import torch only when they run, so `--help` and usage errors answer at once.
"""

import atexit
import gc

import typer

from latentspeech.cli import (
    codec,
    codec_stream,
    compare,
    models,
    read,
    score,
    serve,
    synth,
    testset,
    train,
    voice,
)
from latentspeech.core.command import run_command

# New objects before Python collects garbage; imports exceed its own limit of 700 all the time.
_NEW_OBJECTS = 50_000

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="LatentLM speech: a streaming sigma-VAE codec and next-token-diffusion TTS.",
)
app.command("synth")(synth.synth)
app.command("read")(read.read)
app.command("serve")(serve.serve)
app.command("score")(score.score)
app.command("compare")(compare.compare)
app.command("testset")(testset.write_testset)
app.command("models")(models.models)
app.add_typer(codec.app, name="codec")
codec.app.add_typer(codec_stream.app, name="stream")
app.add_typer(voice.app, name="voice")
app.add_typer(train.app, name="train")


def run() -> None:
    """Runs the command line and turns every foreseeable failure into one clear line."""
    # What torch imports lives to the end, and looking for garbage in it takes half a second.
    gc.set_threshold(_NEW_OBJECTS)
    atexit.register(gc.freeze)
    run_command(app)


if __name__ == "__main__":
    run()
