"""Finds when each symbol is heard, where the model needs it, and splits the corpus into cuts.

    python -m recipes.fine_tune.01_make_cuts --corpus CORPUS --model DIR --out FOLDER

FOLDER gets cuts_train, cuts_dev and cuts_test.jsonl.gz. Recordings that do not say their text are
named in CORPUS/misfits.json.
"""

import argparse
import logging
from pathlib import Path

from lhotse import CutSet

from latentspeech.core.command import run_recipe
from latentspeech.core.errors import DataError
from latentspeech.data.cuts import cuts_from_manifest, write_cuts
from latentspeech.data.manifest import read_manifest
from recipes.fine_tune.align import find_times, split

logger = logging.getLogger(__name__)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of check_data.py")
    parser.add_argument("--model", type=Path, required=True, help="TTS model directory")
    parser.add_argument("--out", type=Path, required=True, help="existing or new folder")
    parser.add_argument("--num_test", type=int, default=10, help="sentences of each speaker")
    parser.add_argument("--seed", type=int, default=0, help="seed of the split")
    parser.add_argument("--strict", action="store_true", help="a recording left out is an error")
    arguments = parser.parse_args()
    items = read_manifest(arguments.corpus)
    usable = find_times(items, arguments.corpus, arguments.model)
    if arguments.strict and len(usable) < len(items):
        raise DataError(
            f"{len(items) - len(usable)} texts do not fit their recordings; "
            f"{arguments.corpus}/misfits.json names them: correct them, or leave --strict away"
        )
    arguments.out.mkdir(parents=True, exist_ok=True)
    for name, part in split(usable, arguments.num_test, arguments.seed).items():
        cuts = CutSet.from_cuts(cuts_from_manifest(part, arguments.corpus))
        write_cuts(cuts, arguments.out / f"cuts_{name}.jsonl.gz")
        logger.info(
            "%s: %d recordings, %.1f minutes",
            name,
            len(part),
            sum(item.duration_s for item in part) / 60,
        )


if __name__ == "__main__":
    run_recipe(main)
