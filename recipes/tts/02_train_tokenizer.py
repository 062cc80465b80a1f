"""Makes the text tokenizer that a YAML file describes, from the transcripts of training cuts."""

import argparse
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.config import load_config
from recipes.tts.train_tokenizer import TokenizerRunConfig, train_tokenizer


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, required=True)
    parser.add_argument("--cuts", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    run = load_config(TokenizerRunConfig, arguments.config)
    train_tokenizer(run, arguments.cuts, arguments.out)


if __name__ == "__main__":
    run_recipe(main)
