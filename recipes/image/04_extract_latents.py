"""Encodes the pictures into latent shards, by several processes if wanted.

`prepare` removes latents of another tokenizer or of other pictures, `extract` makes the shards of
one rank, `finish` computes the statistics once all ranks have ended. Those to train on are stored
with their mirror images.
"""

import argparse
import itertools
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.data.latent_statistics import write_statistics
from latentvision.data.extract_latents import extract_latents
from latentvision.data.sources.config import open_source
from latentvision.tokenizer.model_directory import tokenizer_hash
from recipes.image.source_option import parse_source
from recipes.lib.progress_log import ProgressLog
from recipes.lib.result_folder import open_result_folder

PARTS = ("train", "valid")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", type=Path, required=True, help="model directory")
    parser.add_argument("--train_source", type=parse_source, required=True)
    parser.add_argument("--valid_source", type=parse_source, required=True)
    parser.add_argument("--out", type=Path, required=True, help="gets a folder for each part")
    parser.add_argument("--pictures_per_shard", type=int, default=1000)
    parser.add_argument("--skip_bad", action="store_true", help="leave unreadable pictures out")
    parser.add_argument("actions", nargs="+", choices=["prepare", "extract", "finish"])
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world_size", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    for part, action in itertools.product(PARTS, arguments.actions):
        source = getattr(arguments, f"{part}_source")
        folder = arguments.out / part
        match action:
            case "prepare":
                key = {"tokenizer": tokenizer_hash(arguments.tokenizer)}
                key |= {"source": source.model_dump(mode="json")}
                open_result_folder(folder, key | {"per_shard": arguments.pictures_per_shard})
            case "extract":
                extract_latents(
                    arguments.tokenizer,
                    open_source(source, arguments.skip_bad),
                    folder,
                    arguments.pictures_per_shard,
                    arguments.rank,
                    arguments.world_size,
                    progress=ProgressLog(f"{part}, process {arguments.rank}", "pictures"),
                    flips=part == "train",
                    device=arguments.device,
                    skip_bad=arguments.skip_bad,
                    remake_command="the recipe's stage 4",
                )
            case "finish":
                if not (folder / "stats.safetensors").is_file():  # a single rank has written it
                    write_statistics(folder)


if __name__ == "__main__":
    run_recipe(main)
