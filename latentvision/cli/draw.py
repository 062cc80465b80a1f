"""`latentvision draw`: pictures of what a text says, as one PNG."""

import time
from pathlib import Path
from typing import Annotated

import typer

from latentspeech.core.command import counted_progress, report
from latentvision.cli.options import DeviceOption, JsonOption, QuietOption
from latentvision.cli.page_options import (
    PageModelOption,
    ScaleOption,
    SeedOption,
    StepsOption,
    ThreadsOption,
    open_writer,
)

DEFAULT_OUT = Path("drawn.png")


def draw(
    text: Annotated[str, typer.Option("--text", help="What the picture shows.")],
    out: Annotated[
        Path, typer.Option(help="PNG file to write, a grid of all; replaced if it exists.")
    ] = DEFAULT_OUT,
    num: Annotated[int, typer.Option(help="How many pictures.")] = 1,
    model: PageModelOption = None,
    seed: SeedOption = 0,
    cfg_scale: ScaleOption = None,
    num_steps: StepsOption = None,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw what a text says."""
    from latentvision.images.writing import check_png_name

    check_png_name(out)
    writer = open_writer(model, device, threads)
    start = time.perf_counter()
    with counted_progress("drawing", quiet or as_json) as progress:
        pictures = writer.draw(text, num, seed, progress, cfg_scale=cfg_scale, num_steps=num_steps)
    pictures.save(out)
    seconds = time.perf_counter() - start
    values = {"out": str(out), "text": text, "num": num, "seed": seed, "seconds": seconds}
    report(values, f"{out}: {num} pictures in {seconds:.1f} s", as_json, quiet)
