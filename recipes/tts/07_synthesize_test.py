"""Speaks the test set with a model directory.

recipes/tts/synthesize_test.py says what is written, and how the setting `prefix` goes on.
"""

import argparse
import logging
from dataclasses import replace
from pathlib import Path

from latentspeech.core.command import run_recipe
from latentspeech.core.provenance import hardware
from latentspeech.eval.scoring.lists import ListRow, write_list
from latentspeech.tts.synthesizer import Synthesizer
from recipes.lib.result_folder import open_result_folder
from recipes.tts.sampling_options import add_sampling_options, sampling_of
from recipes.tts.synthesize_test import Speaking, add_test_options, speak_item
from recipes.tts.test_items import SETTINGS, Setting, held_out_items, librispeech_items

logger = logging.getLogger(__name__)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_test_options(parser)
    add_sampling_options(parser)
    parser.add_argument("--setting", choices=SETTINGS, default="reference")
    parser.add_argument("--train_cuts", type=Path, help="texts that are in these are left out")
    parser.add_argument("--librispeech_dir", type=Path, help="speak its test-clean, not the cuts")
    arguments = parser.parse_args()
    setting: Setting = arguments.setting
    if arguments.librispeech_dir is None:
        test = held_out_items(arguments.cuts, setting, arguments.max_items, arguments.train_cuts)
    else:
        test = librispeech_items(arguments.librispeech_dir, setting, arguments.max_items)
    speaking = Speaking(
        arguments.seed,
        not arguments.no_prompt_text,
        sampling_of(arguments),
        arguments.retries,
        setting,
    )
    logger.info("%s: %s: %d utterances", test.info.protocol, test.info.rule, len(test.items))
    key = speaking.key(arguments.model)
    if arguments.librispeech_dir is not None:
        key["protocol"] = test.info.protocol
    open_result_folder(arguments.out, key)
    synthesizer = Synthesizer.from_directory(arguments.model, arguments.device)
    rows: list[ListRow] = []
    for number, item in enumerate(test.items, start=1):
        sex = test.sexes.get(item.target.id)
        rows.append(speak_item(synthesizer, item, arguments.out, speaking, sex))
        if number % 10 == 0 or number == len(test.items):
            logger.info("spoken %d of %d", number, len(test.items))
    info = replace(test.info, hardware=f"{hardware()}; spoken on {arguments.device}")
    write_list(arguments.out / "items.jsonl", rows, info)


if __name__ == "__main__":
    run_recipe(main)
