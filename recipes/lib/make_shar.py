"""Copies the audio of cuts into lhotse's Shar format: large tar files that stream from anywhere.

Several processes may share the work. The same command goes on where it stopped.
"""

import argparse
import logging
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.data.shar_writer import write_shar
from recipes.lib.progress_log import ProgressLog

logger = logging.getLogger(__name__)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cuts", type=Path, required=True, help="lhotse cuts, .jsonl.gz")
    parser.add_argument("--out", type=Path, required=True, help="folder of the shards")
    parser.add_argument("--shard_size", type=int, default=1000, help="cuts a shard")
    parser.add_argument("--rank", type=int, default=0)
    parser.add_argument("--world_size", type=int, default=1)
    parser.add_argument(
        "--skip_bad", action="store_true", help="leave cuts without readable audio out, and say so"
    )
    arguments = parser.parse_args()
    write_shar(
        arguments.cuts,
        arguments.out,
        arguments.shard_size,
        arguments.rank,
        arguments.world_size,
        arguments.skip_bad,
        ProgressLog(f"shar, process {arguments.rank}"),
    )


if __name__ == "__main__":
    run_recipe(main)
