"""`latentvision tokenizer`: pictures to latents and back, and what a trained tokenizer needs."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from latentspeech.core.command import counted_progress, report, show_log
from latentspeech.core.version import VERSION
from latentvision.cli.options import (
    ConfigOption,
    DeviceOption,
    JsonOption,
    ModelOption,
    QuietOption,
    SetOption,
)

if TYPE_CHECKING:
    from torch import Tensor

    from latentvision.tokenizer.model import Tokenizer

app = typer.Typer(no_args_is_help=True, help="Encode, decode and reconstruct pictures.")

SourceArgument = Annotated[
    Path, typer.Argument(help="png, jpeg, webp, gif, bmp or tiff; its middle square is used.")
]
PngArgument = Annotated[Path, typer.Argument(help="PNG file to write.")]
LatentsArgument = Annotated[Path, typer.Argument(help="Latents, .safetensors.")]


@app.command("encode")
def encode(
    source: SourceArgument,
    target: LatentsArgument,
    model: ModelOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn a picture into latents."""
    import torch

    from latentvision.tokenizer.latent_file import write_latents
    from latentvision.tokenizer.model_directory import (
        find_tokenizer,
        load_tokenizer,
        tokenizer_hash,
    )

    directory = find_tokenizer(model)
    tokenizer = load_tokenizer(directory)
    with torch.inference_mode():
        latents = tokenizer.encode(_read_image(source, tokenizer)[None])[0]
    write_latents(target, latents, tokenizer_hash(directory))
    values = {
        "out": str(target),
        "latents": len(latents),
        "latent_dim": latents.shape[1],
        "image_size": tokenizer.config.image_size,
    }
    report(values, f"{target}: {len(latents)} latents", as_json, quiet)


@app.command("decode")
def decode(
    source: LatentsArgument,
    target: PngArgument,
    model: ModelOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Turn latents back into a picture."""
    import torch

    from latentvision.images.writing import check_png_name, write_png
    from latentvision.tokenizer.latent_file import read_latents
    from latentvision.tokenizer.model_directory import (
        find_tokenizer,
        load_tokenizer,
        tokenizer_hash,
    )

    check_png_name(target)
    directory = find_tokenizer(model)
    tokenizer = load_tokenizer(directory)
    latents = read_latents(source, tokenizer_hash(directory), tokenizer.config)
    with torch.inference_mode():
        image = tokenizer.decode(latents[None])[0]
    write_png(target, image, _provenance(f"decoded from {source.name}"))
    values = {"out": str(target), "image_size": tokenizer.config.image_size}
    report(values, f"{target}: {tokenizer.config.image_size} px", as_json, quiet)


@app.command("reconstruct")
def reconstruct(
    source: SourceArgument,
    target: PngArgument,
    beside: Annotated[
        bool, typer.Option("--beside", help="Write the picture itself to the left of its copy.")
    ] = False,
    model: ModelOption = None,
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Encode and decode a picture, to see what the tokenizer makes of it."""
    import torch

    from latentvision.images.transforms import make_grid
    from latentvision.images.writing import check_png_name, write_png
    from latentvision.tokenizer.model_directory import find_tokenizer, load_tokenizer

    check_png_name(target)
    tokenizer = load_tokenizer(find_tokenizer(model))
    image = _read_image(source, tokenizer)
    with torch.inference_mode():
        copy = tokenizer.decode(tokenizer.encode(image[None]))[0]
    error = float((copy.clamp(-1, 1) - image).square().mean())
    psnr_db = 10 * float(torch.tensor(4 / max(error, 1e-8)).log10())
    shown = make_grid(torch.stack([image, copy]), num_columns=2) if beside else copy
    write_png(target, shown, _provenance(f"copy of {source.name}"))
    values = {
        "out": str(target),
        "image_size": tokenizer.config.image_size,
        "psnr_db": round(psnr_db, 2),
    }
    report(values, f"{target}: {psnr_db:.1f} dB of the original", as_json, quiet)


@app.command("pack")
def pack(
    exp_dir: Annotated[Path, typer.Argument(help="Folder of a run of `train tokenizer`.")],
    target: Annotated[Path, typer.Argument(help="Model directory to write; replaced if there.")],
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Make a model directory of a training run's averaged weights."""
    from latentvision.tokenizer.model_directory import tokenizer_hash
    from latentvision.training.pack_tokenizer import pack_tokenizer

    pack_tokenizer(exp_dir, target)
    values = {"out": str(target), "tokenizer_hash": tokenizer_hash(target)}
    report(values, f"{target}: tokenizer {values['tokenizer_hash']}", as_json, quiet)


@app.command("extract")
def extract(
    config: ConfigOption,
    set_: SetOption = None,
    device: DeviceOption = "cpu",
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Encode a whole set of pictures into latent shards; the same command goes on."""
    from latentspeech.core.config import load_config
    from latentspeech.core.data.latent_format import read_meta
    from latentspeech.core.device import choose_device
    from latentvision.training.extraction import ExtractionConfig, run_extraction

    show_log(quiet)
    run = load_config(ExtractionConfig, config, set_ or ())
    words = ["latentvision", "tokenizer", "extract", "--config", str(config)]
    words += [word for change in set_ or () for word in ("--set", change)]
    with counted_progress("encoding", quiet or as_json) as progress:
        run_extraction(run, str(choose_device(device)), shlex.join(words), progress)
    count = read_meta(run.out_dir).num_items
    report(
        {"out": str(run.out_dir), "items": count},
        f"{run.out_dir}: latents of {count} images",
        as_json,
        quiet,
    )


@app.command("score")
def score(
    config: ConfigOption,
    out: Annotated[Path, typer.Option("--out", help="JSON report; tables go beside it, .md.")],
    set_: SetOption = None,
    device: DeviceOption = "cpu",
    quiet: QuietOption = False,
    as_json: JsonOption = False,
) -> None:
    """Measure how well a tokenizer copies pictures: PSNR, SSIM, distances of the whole set."""
    from latentspeech.core.config import load_config
    from latentspeech.core.device import choose_device
    from latentspeech.core.eval.report_markdown import write_report
    from latentvision.eval.reconstruction import ReconstructionConfig, score_reconstruction

    run = load_config(ReconstructionConfig, config, set_ or ())
    with counted_progress("copying", quiet or as_json) as progress:
        found = score_reconstruction(run, choose_device(device), progress)
    write_report(found, out)
    values = {metric.key: metric.value for metric in found.metrics}
    shown = ", ".join(
        f"{k} {'not measured' if v is None else f'{v:.4g}'}" for k, v in values.items()
    )
    report({"out": str(out), "metrics": values}, f"{out}: {shown}", as_json, quiet)


def _read_image(path: Path, tokenizer: "Tokenizer") -> "Tensor":
    """The picture's middle square (3, S, S)."""
    from latentvision.images.reading import read_picture
    from latentvision.images.transforms import center_crop, to_tensor

    return to_tensor(center_crop(read_picture(path), tokenizer.config.image_size))


def _provenance(what: str) -> dict[str, str]:
    return {"Software": f"latentvision {VERSION}", "Comment": f"{what} by an image tokenizer"}
