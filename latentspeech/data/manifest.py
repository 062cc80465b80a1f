"""Reads and checks manifest.jsonl of a corpus folder, and splits its utterances by speaker.

Each line is a JSON object that describes one utterance: id, audio (path relative to the folder),
speaker, text, source, licence, duration_s and, where known, symbol_ends_s, the seconds at which its
words end. Further keys are allowed and ignored.
"""

import dataclasses
import json
import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch

from latentspeech.core.errors import DataError
from latentspeech.core.tensors import make_generator

MANIFEST_NAME = "manifest.jsonl"
_LISTED = 5


@dataclasses.dataclass(frozen=True)
class CorpusUtterance:
    """One line of a manifest; `audio` is relative to the corpus folder."""

    id: str
    audio: str
    speaker: str
    text: str
    source: str
    licence: str
    duration_s: float
    symbol_ends_s: tuple[float, ...] = ()  # where known


_REQUIRED = tuple(
    item.name for item in dataclasses.fields(CorpusUtterance) if item.name != "symbol_ends_s"
)


class SpeakerSplit(NamedTuple):
    """Three disjoint parts; no speaker of `test` is in the other two."""

    train: list[CorpusUtterance]
    dev: list[CorpusUtterance]
    test: list[CorpusUtterance]


def read_manifest(corpus: Path, default_licence: str | None = None) -> list[CorpusUtterance]:
    """Reads and checks `corpus`/manifest.jsonl; every audio file that it names must exist.

    Args:
        corpus: folder with manifest.jsonl.
        default_licence: stands in where a line has no licence; None makes that an error.

    Raises:
        DataError: it names the line (bad JSON, missing key, wrong type, repeated id), or says how
            many audio files are missing and which come first.
    """
    path = corpus / MANIFEST_NAME
    if not path.is_file():
        raise DataError(f"no {MANIFEST_NAME} in {corpus}; give the folder of a corpus")
    utterances: list[CorpusUtterance] = []
    line_of: dict[str, int] = {}
    for number, line in enumerate(_lines(path), start=1):
        if not line.strip():
            continue
        utterance = _parse(line, f"{path}, line {number}", default_licence)
        if utterance.id in line_of:
            raise DataError(
                f"{path}, line {number}: id {utterance.id!r} stands already on line "
                f"{line_of[utterance.id]}; expected unique ids: remove one of the two lines"
            )
        line_of[utterance.id] = number
        utterances.append(utterance)
    if not utterances:
        raise DataError(f"{path} holds no utterances; expected at least one: make the corpus again")
    _check_audio(utterances, corpus)
    return utterances


def split_by_speaker(
    utterances: Sequence[CorpusUtterance],
    test_speakers: Collection[str] | float,
    dev_fraction: float,
    seed: int,
) -> SpeakerSplit:
    """Sets test speakers apart, and for dev a fraction of the other speakers' utterances.

    Args:
        utterances: those of the whole corpus; each part keeps their order.
        test_speakers: their names, or the fraction of speakers to draw (at least one; only those
            with two utterances, since a test needs a prompt besides the sentence).
        dev_fraction: fraction of the train speakers' utterances, at least one of them. Each speaker
            keeps one for train.
        seed: seed of both draws.
    """
    if not 0 < dev_fraction < 1:
        raise DataError(f"dev_fraction is {dev_fraction:g}; expected a number between 0 and 1")
    of_speaker: dict[str, list[CorpusUtterance]] = defaultdict(list)
    for utterance in utterances:
        of_speaker[utterance.speaker].append(utterance)
    if isinstance(test_speakers, int | float):
        chosen = _draw_speakers(of_speaker, float(test_speakers), seed)
    else:
        chosen = set(test_speakers)
        unknown = sorted(chosen - of_speaker.keys())
        if unknown:
            raise DataError(
                f"the corpus has no test speaker {', '.join(unknown)}; "
                f"its speakers are {', '.join(sorted(of_speaker))}"
            )
    if chosen >= of_speaker.keys():
        raise DataError(
            f"all {len(of_speaker)} speakers are test speakers; expected at least one for "
            "training: name fewer, or make the corpus with more voices"
        )
    rest = [item for item in utterances if item.speaker not in chosen]
    dev_ids = _draw_dev(rest, dev_fraction, seed)
    return SpeakerSplit(
        train=[item for item in rest if item.id not in dev_ids],
        dev=[item for item in rest if item.id in dev_ids],
        test=[item for item in utterances if item.speaker in chosen],
    )


def _draw_speakers(
    of_speaker: dict[str, list[CorpusUtterance]], fraction: float, seed: int
) -> set[str]:
    if not 0 < fraction < 1:
        raise DataError(f"the test fraction is {fraction:g}; expected a number between 0 and 1")
    able = sorted(name for name, items in of_speaker.items() if len(items) > 1)
    if not able:
        raise DataError(
            "no speaker has two utterances, so none can be tested with a prompt of its own; "
            "expected several for each: make a longer corpus"
        )
    count = min(len(able), max(1, round(fraction * len(of_speaker))))
    order = torch.randperm(len(able), generator=make_generator(seed, "test speakers"))
    return {able[int(index)] for index in order[:count]}


def _draw_dev(utterances: Sequence[CorpusUtterance], fraction: float, seed: int) -> set[str]:
    left: dict[str, int] = defaultdict(int)
    for utterance in utterances:
        left[utterance.speaker] += 1
    wanted = max(1, round(fraction * len(utterances)))
    chosen: set[str] = set()
    order = torch.randperm(len(utterances), generator=make_generator(seed, "dev utterances"))
    for index in order.tolist():
        utterance = utterances[index]
        if len(chosen) < wanted and left[utterance.speaker] > 1:
            chosen.add(utterance.id)
            left[utterance.speaker] -= 1
    if not chosen:
        raise DataError(
            f"none of the {len(left)} speakers for training has two utterances, so dev would be "
            "empty: make a longer corpus or one with fewer voices"
        )
    return chosen


def _lines(path: Path) -> Iterable[str]:
    try:
        # Not splitlines: a text may hold U+2028, which JSON allows inside a string.
        return path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise DataError(f"{path}, line {line} is not UTF-8; write the manifest again") from None


def _parse(line: str, where: str, default_licence: str | None) -> CorpusUtterance:
    try:
        row: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise DataError(
            f"{where} is not JSON ({error.msg} at character {error.pos + 1}); expected one object "
            "a line: a killed copy may have cut it short, remove the line"
        ) from None
    if not isinstance(row, dict):
        raise DataError(f"{where} holds a {type(row).__name__}; expected a JSON object")
    if default_licence is not None:
        row.setdefault("licence", default_licence)
    values: dict[str, Any] = {}
    for name in _REQUIRED:
        if name not in row:
            raise DataError(f"{where} has no {name!r}; expected the keys {', '.join(_REQUIRED)}")
        values[name] = _checked(name, row[name], where)
    ends = _checked_ends(row.get("symbol_ends_s", ()), values["duration_s"], where)
    return CorpusUtterance(**values, symbol_ends_s=ends)


def _checked_ends(value: Any, duration_s: float, where: str) -> tuple[float, ...]:
    ends = tuple(value) if isinstance(value, list | tuple) else (None,)
    if not all(isinstance(end, int | float) for end in ends) or not all(
        0 <= start <= end for start, end in pairwise((0.0, *ends))
    ):
        raise DataError(f"{where}: symbol_ends_s is {value!r}; expected rising seconds")
    if ends and ends[-1] > duration_s + 0.1:
        raise DataError(
            f"{where}: a word ends at {ends[-1]} s, the audio at {duration_s} s; make it again"
        )
    return ends


def _checked(name: str, value: Any, where: str) -> str | float:
    if name == "duration_s":
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if not number or not math.isfinite(value) or value <= 0:
            raise DataError(f"{where}: duration_s is {value!r}; expected seconds above 0")
        return float(value)
    if not isinstance(value, str) or (not value and name in ("id", "audio", "speaker")):
        raise DataError(f"{where}: {name} is {value!r}; expected a text that is not empty")
    if name == "audio" and (Path(value).is_absolute() or ".." in Path(value).parts):
        raise DataError(
            f"{where}: audio is {value!r}; expected a path inside the corpus folder, relative to it"
        )
    return value


def _check_audio(utterances: Sequence[CorpusUtterance], corpus: Path) -> None:
    missing = [item for item in utterances if not (corpus / item.audio).is_file()]
    if missing:
        names = ", ".join(item.audio for item in missing[:_LISTED])
        more = ", ..." if len(missing) > _LISTED else ""
        raise DataError(
            f"{len(missing)} of the {len(utterances)} audio files that {corpus / MANIFEST_NAME} "
            f"names are missing: {names}{more}; copy them again or run the corpus stage again"
        )
