"""Packs a TTS run into a model directory and, with --results, writes RESULTS.md."""

import argparse
from pathlib import Path
from typing import get_args

from latentspeech.core.command import run_recipe
from latentspeech.core.train.state.averaged_weights import Weights
from recipes.lib.results_file import write_results
from recipes.tts.pack_model import pack_model, parse_scores, scores_text
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
        "--weights", choices=get_args(Weights), default="ema", help="averaged weights, or the last"
    )
    parser.add_argument(
        "--scores",
        nargs="*",
        default=[],
        help="SETTING=FOLDER of stage 8, where the settings are reference, prefix, "
        "reference_ours and prefix_ours; a folder alone belongs to reference_ours",
    )
    parser.add_argument("--results", type=Path, help="RESULTS.md to write")
    parser.add_argument("--command", default="", help="command that RESULTS.md names")
    parser.add_argument(
        "--curves", type=Path, nargs="*", default=[], help="pictures for RESULTS.md"
    )
    arguments = parser.parse_args()
    folders = parse_scores(arguments.scores)
    scores = scores_text(arguments.codec_check, folders)
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
        beside = published_rows(arguments.out / "codec", arguments.codec_check, folders)
        text = f"{scores}\n{beside}"
        lines = [provenance.line()]
        write_results(arguments.results, arguments.command, lines, text, arguments.curves)
    print(f"model directory: {arguments.out}")


if __name__ == "__main__":
    run_recipe(main)
