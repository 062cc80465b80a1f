"""Packs a TTS run into a model directory and, with --results, writes RESULTS.md."""

import argparse
from pathlib import Path
from typing import get_args

from latentspeech.core.command import run_recipe
from recipes.lib.averaged_weights import Weights
from recipes.lib.results_file import read_table, write_results
from recipes.tts.pack_model import pack_model
from recipes.tts.published_rows import published_rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--exp_dir", type=Path, required=True, help="folder of the TTS run")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--data", default="see the recipe that trained it", help="for the card")
    parser.add_argument(
        "--before", type=Path, nargs="*", default=[], help="folders of the runs it went on from"
    )
    parser.add_argument("--codec_check", type=Path, help="folder of recipes.codec.check")
    parser.add_argument(
        "--no_codec",
        action="store_true",
        help="leave out codec/, for a model on the one that ships",
    )
    parser.add_argument(
        "--weights", choices=get_args(Weights), default="ema", help="averaged ones, or the last"
    )
    parser.add_argument("--scores", type=Path, help="folder of score_test")
    parser.add_argument("--prefix_scores", type=Path, help="the same of the 3 s prefix setting")
    parser.add_argument("--results", type=Path, help="RESULTS.md to write")
    parser.add_argument("--command", default="", help="for RESULTS.md")
    parser.add_argument(
        "--curves", type=Path, nargs="*", default=[], help="pictures for RESULTS.md"
    )
    arguments = parser.parse_args()
    folders = {
        "The codec's copies": arguments.codec_check,
        "Spoken after another utterance": arguments.scores,
        "Continued from the first 3 s": arguments.prefix_scores,
    }
    scores = "\n".join(
        f"{title}:\n\n{read_table(folder / 'scores.md')}"
        for title, folder in folders.items()
        if folder is not None
    )
    provenance = pack_model(
        arguments.exp_dir,
        arguments.out,
        arguments.data,
        scores,
        not arguments.no_codec,
        arguments.before,
        arguments.weights,
    )
    if arguments.results is not None:
        beside = published_rows(arguments.out / "codec", *folders.values())
        text = f"{scores}\n{beside}"
        lines = [provenance.line()]
        write_results(arguments.results, arguments.command, lines, text, arguments.curves)
    print(f"model directory: {arguments.out}")


if __name__ == "__main__":
    run_recipe(main)
