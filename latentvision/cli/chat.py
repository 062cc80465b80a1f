"""`latentvision chat`: a page that the user and the model write in turns, a line at a time.

@cat.png             puts a picture on the page
? What is it?        asks; the model answers
any other text       puts text on the page; the model goes on with text and pictures
an empty line        the model goes on
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from latentvision.cli.options import DeviceOption, JsonOption
from latentvision.cli.page_options import (
    PageModelOption,
    ScaleOption,
    SeedOption,
    StepsOption,
    TemperatureOption,
    ThreadsOption,
    open_writer,
)

if TYPE_CHECKING:
    from latentvision.mllm.open_page import OpenPage

DEFAULT_FOLDER = Path()


def chat(
    out_dir: Annotated[
        Path, typer.Option(help="Folder of the pictures that the model draws.")
    ] = DEFAULT_FOLDER,
    model: PageModelOption = None,
    max_tokens: Annotated[int, typer.Option(help="Most tokens of one turn.")] = 256,
    temperature: TemperatureOption = None,
    cfg_scale: ScaleOption = None,
    num_steps: StepsOption = None,
    seed: SeedOption = 0,
    device: DeviceOption = "cpu",
    threads: ThreadsOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a page with the model: lines of stdin are text, @PICTURE, or ? QUESTION.

    What the model writes goes to stdout as it comes. A picture is a file of --out-dir, and a line
    @FILE on stdout. With --json each piece is a line {"text": ...} or {"picture": ...}, and a turn
    ends with {"end": true}.
    """
    from latentspeech.core.errors import InputError
    from latentvision.mllm.open_page import OpenPage

    if not out_dir.is_dir():
        raise InputError(f"the folder {out_dir} does not exist; create it or choose another")
    writer = open_writer(model, device, threads)
    changes: dict[str, Any] = {
        "text_temperature": temperature,
        "cfg_scale": cfg_scale,
        "num_steps": num_steps,
    }
    page = OpenPage(writer, seed, **changes)
    number = 0
    for line in sys.stdin:
        if _add(page, line.rstrip("\n")):
            number = _go_on(page, max_tokens, out_dir, number, as_json)


def _add(page: "OpenPage", line: str) -> bool:
    """Puts a line on the page; says whether the model goes on after it."""
    if line.startswith("@"):
        page.add_picture(line[1:].strip())
        return False
    if line.startswith("?"):
        page.ask(line[1:].strip())
    elif line:
        page.add_text(line)
    return True


def _go_on(page: "OpenPage", max_tokens: int, out_dir: Path, number: int, as_json: bool) -> int:
    """Prints what the model writes; returns the number of its next picture."""
    from latentvision.generation.painter import Pictures

    for piece in page.go_on(max_tokens):
        if isinstance(piece, str):
            print(json.dumps({"text": piece}) if as_json else piece, end="\n" if as_json else "")
        else:
            assert isinstance(piece, Pictures), "the page was not asked for speech"
            while (path := out_dir / f"{number:03d}.png").exists():
                number += 1  # pictures of earlier pages stay
            piece.save(path)
            print(json.dumps({"picture": str(path)}) if as_json else f"\n@{path}")
        sys.stdout.flush()
    print(json.dumps({"end": True}) if as_json else "", flush=True)
    return number
