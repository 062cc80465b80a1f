"""Chooses the utterances that text-to-speech is trained and tested on."""

import argparse
import json
import logging
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from egs.mini.local.choose.compare_voices import VOICES_NAME
from egs.mini.local.choose.listen import HEARD_NAME, read_heard
from egs.mini.local.corpus.items import Item
from egs.mini.local.sources.terms import SEVERAL_PEOPLE
from latentspeech.align.symbol_aligner import add_times
from latentspeech.core.errors import DataError

logger = logging.getLogger(__name__)


def choose(
    parts: Mapping[str, Sequence[Item]], options: argparse.Namespace
) -> dict[str, list[Item]]:
    """Keeps what fits of the speech in train, dev and test; no test text stays in the other two."""
    chosen = {"test": [item for item in parts["test"] if fits(item, options.min_rate_hz)]}
    tested = {letters(item) for item in chosen["test"]}
    misread = misread_utterances(options.corpus, options.max_wer)
    copies = copies_too_alike(options.corpus, options.max_likeness)
    for name in ("dev", "train"):
        chosen[name] = [
            item
            for item in parts[name]
            if fits(item, options.min_train_rate_hz)
            and letters(item) not in tested
            and item.utterance.id not in misread
            and item.utterance.speaker not in copies
        ]
        if options.align:
            chosen[name] = with_times(chosen[name], options.corpus)
    return chosen


def misread_utterances(corpus: Path, max_wer: float | None) -> set[str]:
    """Ids of utterances with a larger share of misread words than `max_wer` (None: no limit)."""
    if max_wer is None:
        return set()
    heard = read_heard(corpus)
    if not heard:
        raise DataError(
            f"--max_wer needs {corpus / HEARD_NAME}; "
            "run python -m egs.mini.local.choose.listen first"
        )
    misread = {name for name, words in heard.items() if words.wer > max_wer}
    logger.info("%d of %d utterances are misread too often", len(misread), len(heard))
    return misread


def copies_too_alike(corpus: Path, max_likeness: float | None) -> set[str]:
    """Names of copied voices whose cosine to their original is above `max_likeness`."""
    if max_likeness is None:
        return set()
    path = corpus / VOICES_NAME
    if not path.is_file():
        raise DataError(
            f"--max_likeness needs {path}; run python -m egs.mini.local.choose.compare_voices first"
        )
    voices = json.loads(path.read_text(encoding="utf-8"))
    copies = {
        name for name, voice in voices.items() if voice.get("cosine_to_original", 0) > max_likeness
    }
    logger.info("%d copied voices are too like their original", len(copies))
    return copies


def fits(item: Item, min_rate_hz: int) -> bool:
    """Whether a model may learn to speak from it."""
    return (
        item.kind == "speech"
        and bool(item.utterance.text.strip())
        and item.native_rate_hz >= min_rate_hz
        and not item.utterance.speaker.startswith(SEVERAL_PEOPLE)
    )


def with_times(items: Sequence[Item], corpus: Path) -> list[Item]:
    """The items with the ends of their symbols, without those that do not say their text."""
    unknown = [item.utterance for item in items if not item.utterance.symbol_ends_s]
    timed, misfits = add_times(unknown, corpus)
    logger.info("aligned %d recordings; %d do not say their text", len(timed), len(misfits))
    found = {item.id: item for item in timed}
    return [
        item._replace(utterance=found.get(item.utterance.id, item.utterance))
        for item in items
        if item.utterance.id not in misfits
    ]


def letters(item: Item) -> str:
    """The text, whatever its case and punctuation."""
    return re.sub(r"[^a-z0-9]", "", item.utterance.text.lower())
