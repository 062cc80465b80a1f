"""Times of symbols for the layout that needs them, and the split of a small corpus.

A few utterances of each speaker are held out, one in twenty (at least one) is for validation. In
the layout `aligned` a recording whose text does not fit it is left out.
"""

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import torch

from latentspeech.align.symbol_aligner import add_times
from latentspeech.core.config import parse_config
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.storage.files import write_json
from latentspeech.core.storage.model_directory import read_model_config
from latentspeech.core.tensors import make_generator
from latentspeech.data.manifest import CorpusUtterance
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

    Raises DataError if too little is left to train on.
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
