"""The `latentvision` command: a file per group, errors in one line, exit code 2 for bad input.

Commands import torch only when they run, so `--help` and usage errors answer at once.
"""

import typer

from latentspeech.core.command import run_command
from latentvision.cli import (
    ask,
    caption,
    chat,
    draw,
    models,
    pack,
    sample,
    score,
    tokenizer,
    train,
    train_generator,
)

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="LatentLM images: tokenizers of pictures, models that draw them, and models of pages.",
)
app.command("sample")(sample.sample)
app.command("draw")(draw.draw)
app.command("caption")(caption.caption)
app.command("ask")(ask.ask)
app.command("chat")(chat.chat)
app.command("score")(score.score)
app.command("pack")(pack.pack)
app.command("models")(models.models)
app.add_typer(tokenizer.app, name="tokenizer")
train_generator.register(train.app)
app.add_typer(train.app, name="train")


def run() -> None:
    """Runs the command line and turns every foreseeable failure into one clear line."""
    run_command(app)


if __name__ == "__main__":
    run()
