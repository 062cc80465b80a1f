"""`latentvision caption`: says what a picture shows."""

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


def caption(
    picture: PictureArgument,
    model: PageModelOption = None,
    max_tokens: Annotated[int, typer.Option(help="Most tokens of the description.")] = 64,
    temperature: TemperatureOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Describe a picture."""
    writer = open_writer(model, device, threads)
    found = writer.caption(picture, max_tokens=max_tokens, seed=seed, text_temperature=temperature)
    print(json.dumps({"picture": str(picture), "caption": found}) if as_json else found)
