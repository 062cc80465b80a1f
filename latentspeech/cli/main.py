"""The `latentspeech` command: one group a file, errors in one line, exit code 2 for bad input.

Commands import torch only when they run, so `--help` and usage errors answer at once.
"""

import atexit
import errno
import gc
import os
import sys

import typer

from latentspeech.cli import (
    codec,
    codec_stream,
    compare,
    models,
    score,
    synth,
    testset,
    train,
    voice,
)
from latentspeech.core.errors import CheckpointError, ConfigError, DataError, InputError, PeerError

EXIT_BAD_INPUT = 2
EXIT_INTERRUPTED = 130
# New objects before Python looks for garbage among them; imports pass its own 700 all the time.
_NEW_OBJECTS = 50_000

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="LatentLM speech: a streaming sigma-VAE codec and next-token-diffusion TTS.",
)
app.command("synth")(synth.synth)
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
    # What torch imports lives to the end: looking for garbage in it takes half a second.
    gc.set_threshold(_NEW_OBJECTS)
    atexit.register(gc.freeze)
    try:
        app()
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(EXIT_INTERRUPTED)
    except (ConfigError, InputError, DataError, CheckpointError, PeerError) as error:
        _fail(str(error))
    except BrokenPipeError:
        # The reader has gone, which is how `| head` ends a stream; nothing is left to flush to.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if error.errno == errno.ENOSPC:
            _fail(f"no space left on the disk ({error.filename or 'output'}); free some and repeat")
        _fail(f"{error.filename or 'file'}: {error.strerror or error}; check path and permissions")


def _fail(message: str) -> None:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    sys.exit(EXIT_BAD_INPUT)


if __name__ == "__main__":
    run()
