"""The test items of a run: a published test set if its corpus is given, else held-out cuts.

The setting `reference` speaks each text after another utterance of its speaker, `prefix` goes on
from the first 3 s of the recording itself (Chen et al., 2024, arXiv 2406.05370). LibriSpeech
test-clean and LibriTTS test-other are the test sets of the paper's Tables 4 and 5. Any other test
set says so in its rule, because its numbers stand beside the paper's but are not comparable.
"""

import itertools
import logging
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from latentspeech.core.errors import DataError
from latentspeech.data.utterances import Utterance, read_utterances
from latentspeech.eval.protocols.cut_utterances import (
    EvaluationItem,
    choose_evaluation_items,
    read_cut_sexes,
)
from latentspeech.eval.protocols.librispeech import (
    MAX_DURATION_S,
    MIN_DURATION_S,
    PREFIX_S,
    librispeech_4_10,
)
from latentspeech.eval.protocols.libritts import libritts_test_other
from latentspeech.eval.protocols.testset import Options, ProtocolList
from latentspeech.eval.scoring.lists import ListInfo, ListRow

logger = logging.getLogger(__name__)

Setting = Literal["reference", "prefix"]
SETTINGS: tuple[Setting, ...] = ("reference", "prefix")
HELD_OUT = "held-out cuts of this corpus, not the paper's test set"
_CUT_RULES: dict[Setting, str] = {
    "reference": "test cuts, each after the utterance before of the same speaker",
    "prefix": f"test cuts of {MIN_DURATION_S:g} to {MAX_DURATION_S:g} s, each continued from its "
    f"first {PREFIX_S:g} s",
}


@dataclass(frozen=True)
class TestItems:
    """The items to speak or copy, in order, and a description of them."""

    items: list[EvaluationItem]
    sexes: dict[str, str]  # by utterance id, where known
    info: ListInfo

    @property
    def targets(self) -> list[Utterance]:
        """The utterances that codecs copy."""
        return [item.target for item in self.items]


def held_out_items(
    cuts: Path, setting: Setting, max_items: int, train_cuts: Path | None = None
) -> TestItems:
    """Items of a cuts file whose texts are not in `train_cuts`; a `max_items` of 0 takes all."""
    utterances = read_utterances(cuts)
    if setting == "prefix":
        utterances = [u for u in utterances if MIN_DURATION_S <= u.duration_s <= MAX_DURATION_S]
    items = choose_evaluation_items(utterances, 0 if train_cuts else max_items)
    rule = f"{_CUT_RULES[setting]}; {HELD_OUT}"
    if train_cuts is not None:
        taught = {letters(one.text) for one in read_utterances(train_cuts)}
        items = [item for item in items if letters(item.target.text) not in taught]
        items = items[:max_items] if max_items else items
        rule += "; texts that are in the training cuts left out"
    if not items:
        raise DataError(f"every text of {cuts} is in the training cuts; give other cuts")
    if setting == "prefix":
        items = [EvaluationItem(item.target, first_seconds(item.target)) for item in items]
    info = ListInfo("held-out cuts", rule)
    return TestItems(items, read_cut_sexes(cuts), info)


def librispeech_items(corpus: Path, setting: Setting, max_items: int) -> TestItems:
    """LibriSpeech test-clean, 4 to 10 s: the first `max_items`, alternating speakers; 0 for all."""
    found = librispeech_4_10(corpus, Options(task=setting))
    rows = {row.id: row for row in found.rows}
    utterances = {row.reference_path: _utterance(row, found) for row in found.rows}
    items = []
    for row in rows.values():
        target = utterances[row.reference_path]
        if setting == "prefix":
            items.append(EvaluationItem(target, first_seconds(target)))
        else:
            items.append(EvaluationItem(target, utterances[row.prompt_path]))
    chosen = in_turns(items, max_items)
    return TestItems(chosen, _sexes(found), _info(found, len(chosen)))


def libritts_items(corpus: Path, max_items: int, seed: int) -> TestItems:
    """LibriTTS test-other for codecs: all, or the part that the protocol draws with a seed."""
    found = libritts_test_other(corpus, Options(num=max_items, seed=seed if max_items else 0))
    utterances = [_utterance(row, found) for row in found.rows]
    items = [EvaluationItem(utterance, utterance) for utterance in utterances]
    return TestItems(items, _sexes(found), _info(found, len(items)))


def letters(text: str) -> str:
    """A text without case, spaces and punctuation, to tell whether two texts are the same."""
    return "".join(character for character in text.lower() if character.isalnum())


def first_seconds(utterance: Utterance) -> Utterance:
    """The first 3 s, as a prompt."""
    return utterance._replace(duration_s=PREFIX_S, is_whole_file=False)


def in_turns(items: Sequence[EvaluationItem], max_items: int) -> list[EvaluationItem]:
    """At most `max_items` items (0: all), taken from the speakers alternately."""
    own: dict[str, list[EvaluationItem]] = defaultdict(list)
    for item in items:
        own[item.target.speaker].append(item)
    turns = itertools.chain.from_iterable(itertools.zip_longest(*own.values()))
    row = [item for item in turns if item is not None]
    return row[:max_items] if max_items else row


def _utterance(row: ListRow, found: ProtocolList) -> Utterance:
    if row.reference_path is None or row.duration_s is None:
        raise DataError(f"{found.info.protocol}: {row.id} has no recording; expected one")
    path = Path(found.info.root) / row.reference_path
    text = row.transcript or ""
    return Utterance(row.id, path, 0.0, row.duration_s, True, row.speaker or "", text)


def _sexes(found: ProtocolList) -> dict[str, str]:
    return {row.id: row.sex for row in found.rows if row.sex is not None}


def _info(found: ProtocolList, num_chosen: int) -> ListInfo:
    """The protocol's description, with how many were taken; warns of what the corpus lacks."""
    for identifier, reason in sorted(found.missing.items()):
        logger.warning("%s lacks %s: %s", found.info.protocol, identifier, reason)
    rule, total = found.info.rule, len(found.rows)
    if num_chosen < total:
        rule += f"; {num_chosen} of its {total}, speakers in turn"
    return ListInfo(found.info.protocol, rule, left_out=found.info.left_out)
