"""Encodes the training and validation cuts into latent shards, by several processes if wanted.

`prepare` removes latents of another codec or of other cuts, `extract` makes the shards of one rank,
`finish` computes the statistics once all ranks have ended.
"""

import argparse
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.data.latent_statistics import write_statistics
from latentspeech.data.extract_latents import extract_latents
from recipes.lib.progress_log import ProgressLog
from recipes.tts.extract_latents import PARTS, prepare


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["prepare", "extract", "finish"])
    parser.add_argument("--codec", type=Path, required=True, help="model directory")
    parser.add_argument(
        "--data_dir", type=Path, required=True, help="folder with shar_PART/ or cuts_PART.jsonl.gz"
    )
    parser.add_argument("--out", type=Path, required=True, help="gets a folder for each part")
    parser.add_argument("--shard_size", type=int, default=200, help="utterances a shard")
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world_size", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    parser.add_argument(
        "--skip_bad", action="store_true", help="cuts without readable audio get no latents"
    )
    arguments = parser.parse_args()
    for part in PARTS:
        shar, folder = arguments.data_dir / f"shar_{part}", arguments.out / part
        cuts = shar if shar.is_dir() else arguments.data_dir / f"cuts_{part}.jsonl.gz"
        match arguments.action:
            case "prepare":
                prepare(arguments.codec, cuts, folder)
            case "extract":
                extract_latents(
                    arguments.codec,
                    cuts,
                    folder,
                    shard_size=arguments.shard_size,
                    rank=arguments.rank,
                    world_size=arguments.world_size,
                    progress=ProgressLog(f"{part}, process {arguments.rank}"),
                    device=arguments.device,
                    skip_bad=arguments.skip_bad,
                )
            case "finish":
                write_statistics(folder)


if __name__ == "__main__":
    run_recipe(main)
