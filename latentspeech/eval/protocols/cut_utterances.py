"""Test sets made of lhotse cuts, such as the mini corpus: utterances to copy or speak, and prompts.

They contain utterances of 1 to 15 s with a text. The prompt is the previous utterance of the same
speaker (the rule of VALL-E 2, see `with_previous`). Speakers alternate, so that even a short list
has all of them.
"""

import itertools
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import soundfile

from latentspeech.audio.io import write_audio
from latentspeech.core.errors import DataError, InputError
from latentspeech.data.cuts import read_cuts
from latentspeech.data.utterances import Utterance, load_utterance, read_utterances
from latentspeech.eval.protocols.testset import (
    Options,
    ProtocolList,
    finish,
    refuse_options,
    with_previous,
)
from latentspeech.eval.scoring.lists import ListRow

logger = logging.getLogger(__name__)

NAME = "cuts"
# Shorter utterances tell too little about a voice; longer ones are not spoken in one breath.
MIN_DURATION_S = 1.0
MAX_DURATION_S = 15.0
_SEXES = {"f": "female", "m": "male"}


class EvaluationItem(NamedTuple):
    """An utterance to speak, and an utterance of the same speaker that serves as the prompt."""

    target: Utterance
    prompt: Utterance


def choose_evaluation_items(
    utterances: Sequence[Utterance], max_items: int
) -> list[EvaluationItem]:
    """Chooses at most `max_items` (0: all), one utterance of each speaker after the other."""
    usable = [
        utterance
        for utterance in utterances
        if MIN_DURATION_S <= utterance.duration_s <= MAX_DURATION_S and utterance.text
    ]
    rows = with_previous(usable, lambda item: item.speaker, lambda item: item.id)
    turns = itertools.zip_longest(*rows.values())
    items = [EvaluationItem(*item) for turn in turns for item in turn if item is not None]
    if not items:
        raise DataError(
            f"none of {len(utterances)} test utterances has a transcript, lasts "
            f"{MIN_DURATION_S} to {MAX_DURATION_S} s and has another of its speaker for a prompt; "
            "make a larger corpus"
        )
    chosen = items[:max_items] if max_items else items
    logger.info("%d of %d test utterances, %d speakers", len(chosen), len(utterances), len(rows))
    return chosen


def cuts_testset(corpus: Path, options: Options) -> ProtocolList:
    """Makes the test set of a cuts file (`corpus`), its first `num` items.

    If any utterance is a piece of a longer recording, all of them are written to the folder
    `audio`, 16 bit.
    """
    refuse_options(NAME, options, "num")
    items = choose_evaluation_items(read_utterances(corpus), options.num)
    sexes = read_cut_sexes(corpus)
    used = {spoken.id: spoken for item in items for spoken in item}
    if all(utterance.is_whole_file for utterance in used.values()):
        root = corpus.resolve().parent
        paths = {name: os.path.relpath(spoken.path, root) for name, spoken in used.items()}
    elif options.audio is None:
        raise InputError(f"{corpus} holds pieces of recordings; give a folder for their audio")
    else:
        root = options.audio.resolve()
        paths = {name: _cut_out(spoken, root) for name, spoken in used.items()}
    rows = [_row(item, paths, sexes) for item in items]
    rule = (
        f"cuts of {MIN_DURATION_S:g} to {MAX_DURATION_S:g} s with text; prompt: the utterance "
        "before of the same speaker by id, the first takes the last; speakers take turns"
    )
    return finish(NAME, rule, str(root), rows, {})


def read_cut_rows(cuts: Path) -> list[ListRow]:
    """Makes a row of every cut, with the cut's own path; DataError for pieces of recordings."""
    sexes = read_cut_sexes(cuts)
    rows: list[ListRow] = []
    for utterance in read_utterances(cuts):
        if not utterance.is_whole_file:
            raise DataError(
                f"{cuts}: cut {utterance.id} is a piece of {utterance.path}; make a list with its "
                f"audio first: latentspeech testset cuts --corpus {cuts} --out list.jsonl"
            )
        row = ListRow(
            id=utterance.id,
            reference_path=str(utterance.path),
            transcript=utterance.text or None,
            speaker=utterance.speaker or None,
            sex=sexes.get(utterance.id),
            duration_s=utterance.duration_s,
        )
        rows.append(row)
    return rows


def read_cut_sexes(cuts: Path) -> dict[str, str]:
    """Returns {cut id: female or male} of the cuts whose supervision has a gender."""
    sexes: dict[str, str] = {}
    for cut in read_cuts(cuts):
        gender = cut.supervisions[0].gender if cut.supervisions else None
        if isinstance(gender, str) and gender[:1].lower() in _SEXES:
            sexes[cut.id] = _SEXES[gender[:1].lower()]
    return sexes


def _row(item: EvaluationItem, paths: dict[str, str], sexes: dict[str, str]) -> ListRow:
    target, prompt = item
    return ListRow(
        id=target.id,
        reference_path=paths[target.id],
        prompt_path=paths[prompt.id],
        transcript=target.text,
        prompt_text=prompt.text,
        speaker=target.speaker or None,
        sex=sexes.get(target.id),
        duration_s=round(target.duration_s, 6),
    )


def _cut_out(utterance: Utterance, folder: Path) -> str:
    path = folder / f"{utterance.id}.wav"
    rate = int(soundfile.info(utterance.path).samplerate)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_audio(path, load_utterance(utterance, rate), rate)
    return path.relative_to(folder).as_posix()
