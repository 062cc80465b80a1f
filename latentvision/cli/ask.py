"""`latentvision ask`: answers a question about a picture."""

import json
from typing import Annotated

import typer

from latentvision.cli.options import DeviceOption, JsonOption
from latentvision.cli.page_options import (
    PageModelOption,
    PictureArgument,
    SeedOption,
    TemperatureOption,
    ThreadsOption,
    open_writer,
)


def ask(
    picture: PictureArgument,
    question: Annotated[str, typer.Option("--question", help="What to ask about it.")],
    model: PageModelOption = None,
    max_tokens: Annotated[int, typer.Option(help="Most tokens of the answer.")] = 64,
    temperature: TemperatureOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question about a picture."""
    writer = open_writer(model, device, threads)
    found = writer.ask(
        picture, question, max_tokens=max_tokens, seed=seed, text_temperature=temperature
    )
    values = {"picture": str(picture), "question": question, "answer": found}
    print(json.dumps(values) if as_json else found)
