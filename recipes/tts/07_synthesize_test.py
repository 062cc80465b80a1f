"""Speaks the test set with a model directory.

recipes/tts/test_set/synthesize_test.py describes the files that it writes and the setting `prefix`.
"""

import argparse
from pathlib import Path

from latentspeech.core.command import run_recipe
from recipes.tts.test_set.sampling_options import add_batch_option
from recipes.tts.test_set.speaking import add_setting_options
from recipes.tts.test_set.synthesize_test import add_test_options, write_test


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_test_options(parser)
    add_setting_options(parser)
    add_batch_option(parser, None)
    parser.add_argument("--train_cuts", type=Path, help="texts that are in these cuts are left out")
    parser.add_argument("--librispeech_dir", type=Path, help="speak its test-clean, not the cuts")
    write_test(parser.parse_args())


if __name__ == "__main__":
    run_recipe(main)
