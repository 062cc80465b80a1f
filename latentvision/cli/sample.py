"""`latentvision sample`: draws pictures of a class, as one PNG or each as a file of a folder."""

import time
from pathlib import Path
from typing import Annotated, Any

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
    out_dir: Annotated[
        Path | None,
        typer.Option(help="Instead: a folder of single PNG files; the same command goes on."),
    ] = None,
    every_class: Annotated[
        bool,
        typer.Option("--every-class", help="With --out-dir: --num pictures of each class."),
    ] = False,
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
    from latentspeech.core.errors import ConfigError
    from latentvision.generation.models import find_generator
    from latentvision.generation.painter import Painter
    from latentvision.generation.sample_folder import draw_folder
    from latentvision.images.writing import check_png_name

    if every_class and (out_dir is None or label is not None):
        raise ConfigError(
            "--every-class draws all classes into a folder; give --out-dir, and no --label"
        )
    if out_dir is None:
        check_png_name(out)  # many pictures take minutes, which a wrong name must not cost
    if threads is not None:
        torch.set_num_threads(threads)
    painter = Painter.from_directory(find_generator(model), choose_device(device))
    changes: dict[str, Any] = {"cfg_scale": cfg_scale, "num_steps": num_steps}
    values = {"num": num, "label": label, "seed": seed}
    start = time.perf_counter()
    with counted_progress("drawing", quiet or as_json) as progress:
        if out_dir is None:
            painter.sample(label, num, seed, progress, **changes).save(out)
            values |= {"out": str(out)}
            text = f"{out}: {num} pictures"
        else:
            labels = list(painter.class_names) if every_class else [label]
            drawn = draw_folder(painter, out_dir, labels, num, seed, progress, **changes)
            total = num * len(labels)
            values |= {"out": str(out_dir), "num": total, "drawn": drawn}
            text = f"{out_dir}: {total} pictures, {drawn} of them drawn now"
    seconds = time.perf_counter() - start
    report({**values, "seconds": seconds}, f"{text} in {seconds:.1f} s", as_json, quiet)
