"""Options that the commands of models of text and pictures share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from latentvision.mllm.page_writer import PageWriter

PageModelOption = Annotated[
    str | None,
    typer.Option("--model", help="Model directory. Default: $LATENTVISION_MODEL."),
]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed gives the same result.")]
ScaleOption = Annotated[
    float | None,
    typer.Option("--cfg-scale", help="Guidance; 1 is off. Default: the model's own."),
]
StepsOption = Annotated[
    int | None, typer.Option("--num-steps", help="Solver steps. Default: the model's own.")
]
ThreadsOption = Annotated[int | None, typer.Option("--threads", min=1, help="Threads of torch.")]
TemperatureOption = Annotated[
    float | None,
    typer.Option("--temperature", help="Of text; 0 is greedy. Default: the model's own."),
]
PictureArgument = Annotated[Path, typer.Argument(help="png, jpeg, webp, gif, bmp or tiff.")]


def open_writer(model: str | None, device: str, threads: int | None) -> "PageWriter":
    """Loads the model that a command asks for."""
    import torch

    from latentspeech.core.device import choose_device
    from latentvision.mllm.loading import find_page_model
    from latentvision.mllm.page_writer import PageWriter

    if threads is not None:
        torch.set_num_threads(threads)
    return PageWriter.from_directory(find_page_model(model), choose_device(device))
