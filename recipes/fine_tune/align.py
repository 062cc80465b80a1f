"""Finds when each symbol is heard, where the model needs it, and splits the corpus into cuts.

    python -m recipes.fine_tune.align --corpus CORPUS --model DIR --out FOLDER

FOLDER gets cuts_train, cuts_dev and cuts_test.jsonl.gz: a few utterances of each speaker are held
out, one in twenty (at least one) is for validation. In the layout `aligned` a recording whose text
does not fit it is left out, and named in CORPUS/misfits.json.
"""

import argparse
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch
from lhotse import CutSet

from latentspeech.align.symbol_aligner import add_times
from latentspeech.core.command import run_recipe
from latentspeech.core.config import parse_config
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.files import write_json
from latentspeech.core.model_directory import read_model_config
from latentspeech.core.tensors import make_generator
from latentspeech.data.cuts import cuts_from_manifest, write_cuts
from latentspeech.data.manifest import CorpusUtterance, read_manifest
from latentspeech.text.tokenizers import MisakiTokenizer, load_tokenizer
from latentspeech.tts.model import SpeechLMConfig
from latentspeech.tts.model_directory import KIND

logger = logging.getLogger(__name__)

DEV_SHARE = 0.05
MIN_TRAIN = 2  # a target and its prompt


def split(
    items: Sequence[CorpusUtterance], num_test: int, seed: int
) -> dict[str, list[CorpusUtterance]]:
    """Parts by name; each speaker of two or more has utterances in train.

    DataError where too little is left to train on.
    """
    of_speaker: dict[str, list[CorpusUtterance]] = defaultdict(list)
    for item in items:
        of_speaker[item.speaker].append(item)
    parts: dict[str, list[CorpusUtterance]] = {"train": [], "dev": [], "test": []}
    generator = make_generator(seed, "custom split")
    for own in of_speaker.values():
        order = torch.randperm(len(own), generator=generator).tolist()
        # A test needs a prompt beside the sentence.
        tests = min(num_test, len(own) // 3)
        tests = tests if tests >= 2 else 0
        devs = max(1, round(DEV_SHARE * len(own))) if len(own) > MIN_TRAIN else 0
        for place, index in enumerate(order):
            name = "test" if place < tests else "dev" if place < tests + devs else "train"
            parts[name].append(own[index])
    if len(parts["train"]) < MIN_TRAIN or not parts["dev"] or not parts["test"]:
        counts = ", ".join(f"{name} {len(own)}" for name, own in of_speaker.items())
        raise DataError(
            f"too few recordings: {counts or 'none'}; expected at least 6 of one speaker, and a "
            "few minutes to hear a difference: record more"
        )
    return parts


def find_times(
    items: Sequence[CorpusUtterance], corpus: Path, model: Path
) -> list[CorpusUtterance]:
    """The utterances with the times of their symbols if the model's layout needs them."""
    config = parse_config(SpeechLMConfig, read_model_config(model, KIND), origin=str(model))
    if config.layout == "sentence":
        logger.info("the model's layout is sentence; no times are needed")
        return list(items)
    if not isinstance(load_tokenizer(model / "tokenizer"), MisakiTokenizer):
        raise ConfigError(
            f"{model} has the layout aligned and another tokenizer than misaki, whose symbols the "
            "aligner does not know; take the model that ships, or one of the layout sentence"
        )
    timed, misfits = add_times(items, corpus)
    write_json(corpus / "misfits.json", misfits)
    for name, reason in misfits.items():
        logger.warning("left out: %s: %s", name, reason)
    logger.info("%d of %d recordings have times", len(timed), len(items))
    return timed


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of check_data.py")
    parser.add_argument("--model", type=Path, required=True, help="TTS model directory")
    parser.add_argument("--out", type=Path, required=True, help="existing or new folder")
    parser.add_argument("--num_test", type=int, default=10, help="held out of each speaker")
    parser.add_argument("--seed", type=int, default=0, help="of the split")
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
