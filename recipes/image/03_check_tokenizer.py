"""Packs a tokenizer, scores its copies of validation pictures, and shows some."""

import argparse
from pathlib import Path

import torch

from latentspeech.core.command import run_recipe
from latentspeech.core.device import choose_device
from latentspeech.core.eval.report_markdown import write_report
from latentvision.data.sources.config import SourceConfig, open_source
from latentvision.eval.reconstruction import ReconstructionConfig, score_reconstruction
from latentvision.images.transforms import center_crop, make_grid, to_tensor
from latentvision.images.writing import write_png
from latentvision.tokenizer.model_directory import load_tokenizer
from latentvision.training.pack_tokenizer import pack_tokenizer
from recipes.image.source_option import parse_source
from recipes.lib.progress_log import ProgressLog

_SHOWN = 20
_COLUMNS = 10


@torch.inference_mode()
def show_copies(tokenizer_dir: Path, config: SourceConfig, out: Path) -> None:
    """Writes rows of originals, each with the row of their copies under it."""
    tokenizer, source = load_tokenizer(tokenizer_dir), open_source(config)
    indices = [*source.shard(0)][:_SHOWN]
    size = tokenizer.config.image_size
    images = torch.stack([to_tensor(center_crop(source.picture(i), size)) for i in indices])
    copies = tokenizer.decode(tokenizer.encode(images))
    rows = [
        torch.cat((images[start : start + _COLUMNS], copies[start : start + _COLUMNS]))
        for start in range(0, len(images) // _COLUMNS * _COLUMNS, _COLUMNS)
    ]
    comment = f"{source}: originals, and under them their copies by the tokenizer"
    write_png(out, make_grid(torch.cat(rows), _COLUMNS), {"Comment": comment})


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="folder of the training")
    parser.add_argument("--tokenizer", type=Path, required=True, help="model directory to write")
    parser.add_argument("--source", type=parse_source, required=True)
    parser.add_argument("--max_images", type=int, required=True)
    parser.add_argument("--metrics", required=True, help="names, with spaces")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--out", type=Path, required=True, help="folder")
    arguments = parser.parse_args()
    pack_tokenizer(arguments.run, arguments.tokenizer)
    arguments.out.mkdir(parents=True, exist_ok=True)
    show_copies(arguments.tokenizer, arguments.source, arguments.out / "copies.png")
    config = ReconstructionConfig(
        tokenizer_dir=arguments.tokenizer,
        source=arguments.source,
        max_images=arguments.max_images,
        metrics=tuple(arguments.metrics.split()),
    )
    progress = ProgressLog("copies", "pictures")
    report = score_reconstruction(config, choose_device(arguments.device), progress)
    write_report(report, arguments.out / "scores.json")


if __name__ == "__main__":
    run_recipe(main)
