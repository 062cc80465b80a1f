"""Cuts of the mini corpus: cuts_train, cuts_dev and cuts_test.jsonl.gz, and speakers.json.

    python egs/mini/local/prepare_cuts.py --corpus data/full/corpus --out data/full

The test speakers are those of test_speakers.txt that the corpus has, so that a corpus may grow and
its test speakers stay unheard; where it has none of them, a fraction of its speakers.
"""

import argparse
import logging
from collections import defaultdict
from collections.abc import Collection, Sequence
from pathlib import Path

from latentspeech.core.errors import DataError
from latentspeech.core.files import write_json
from latentspeech.data.cuts import cuts_from_manifest, write_cuts
from latentspeech.data.manifest import CorpusUtterance, read_manifest, split_by_speaker
from recipes.one_line_errors import run_recipe

logger = logging.getLogger(__name__)

_TEST_SPEAKERS = Path(__file__).parent / "test_speakers.txt"


def main() -> None:
    """Reads, filters, splits and writes."""
    options = parse_arguments()
    everything = read_manifest(options.corpus)
    kept = [item for item in everything if options.min_s <= item.duration_s <= options.max_s]
    if not kept:
        raise DataError(
            f"none of the {len(everything)} utterances of {options.corpus} lasts "
            f"{options.min_s:g} to {options.max_s:g} s; change --min_s and --max_s"
        )
    test = choose_test_speakers(options.test_speakers, kept, options.test_fraction)
    split = split_by_speaker(kept, test, options.dev_fraction, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    speakers = {}
    for name, part in split._asdict().items():
        write_cuts(cuts_from_manifest(part, options.corpus), options.out / f"cuts_{name}.jsonl.gz")
        speakers[name] = seconds_by_speaker(part)
        logger.info(
            "%s: %d utterances, %.2f hours, %d speakers",
            name,
            len(part),
            sum(speakers[name].values()) / 3600,
            len(speakers[name]),
        )
    write_json(options.out / "speakers.json", speakers)
    if len(kept) < len(everything):
        logger.info(
            "%d utterances shorter than %g s or longer than %g s were left out",
            len(everything) - len(kept),
            options.min_s,
            options.max_s,
        )


def choose_test_speakers(
    asked: str, utterances: Sequence[CorpusUtterance], fraction: float
) -> Collection[str] | float:
    """The names asked for, else those of the list that are there, else the fraction."""
    if asked:
        return [name.strip() for name in asked.split(",") if name.strip()]
    listed = _TEST_SPEAKERS.read_text(encoding="utf-8").split()
    found = {item.speaker for item in utterances}.intersection(listed)
    return found or fraction


def seconds_by_speaker(utterances: Sequence[CorpusUtterance]) -> dict[str, float]:
    """Seconds of each speaker, by name."""
    seconds: dict[str, float] = defaultdict(float)
    for item in utterances:
        seconds[item.speaker] += item.duration_s
    return {name: round(seconds[name], 3) for name in sorted(seconds)}


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--corpus", type=Path, required=True, help="folder with manifest.jsonl")
    parser.add_argument("--out", type=Path, required=True, help="folder for the cuts")
    parser.add_argument("--test_speakers", default="", help="names with commas between them")
    parser.add_argument("--test_fraction", type=float, default=0.1, help="of the speakers")
    parser.add_argument("--dev_fraction", type=float, default=0.03, help="of the other utterances")
    parser.add_argument("--min_s", type=float, default=1.0, help="shortest utterance, seconds")
    parser.add_argument("--max_s", type=float, default=20.0, help="longest utterance, seconds")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
    return parser.parse_args()


if __name__ == "__main__":
    run_recipe(main)
