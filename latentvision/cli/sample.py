"""`latentvision sample`: draws pictures of a class and writes them as one PNG."""

import time
from pathlib import Path
from typing import Annotated

import typer

from latentspeech.core.command import counted_progress, report
from latentvision.cli.options import DeviceOption, JsonOption, ModelOption, QuietOption

DEFAULT_OUT = Path("grid.png")


def sample(
    label: Annotated[
        str | None,
        typer.Option(help="Class to draw, by name or number. Default: without a class."),
    ] = None,
    num: Annotated[int, typer.Option(help="How many pictures.")] = 1,
    out: Annotated[
        Path, typer.Option(help="PNG file to write, a grid of all; replaced if it exists.")
    ] = DEFAULT_OUT,
    model: ModelOption = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same pictures.")] = 0,
    cfg_scale: Annotated[
        float | None, typer.Option(help="Guidance; 1 is off. Default: the model's own.")
    ] = None,
    num_steps: Annotated[
        int | None, typer.Option(help="Solver steps. Default: the model's own.")
    ] = None,
    device: DeviceOption = "cpu",
    threads: Annotated[int | None, typer.Option(min=1, help="Threads of torch.")] = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw pictures of a class."""
    import torch

    from latentspeech.core.device import choose_device
    from latentvision.generation.models import find_generator
    from latentvision.generation.painter import Painter
    from latentvision.images.writing import check_png_name

    check_png_name(out)  # many pictures take minutes, which a wrong name must not cost
    if threads is not None:
        torch.set_num_threads(threads)
    painter = Painter.from_directory(find_generator(model), choose_device(device))
    start = time.perf_counter()
    with counted_progress("drawing", quiet or as_json) as progress:
        pictures = painter.sample(
            label, num, seed, progress, cfg_scale=cfg_scale, num_steps=num_steps
        )
    pictures.save(out)
    seconds = time.perf_counter() - start
    values = {"out": str(out), "num": num, "label": label, "seed": seed, "seconds": seconds}
    report(values, f"{out}: {num} pictures in {seconds:.1f} s", as_json, quiet)
