"""The result of every protocol (rows of a list and their description), its options and helpers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import soundfile

from latentspeech.audio.io import audio_duration_s, load_audio
from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.eval.scoring.lists import ListInfo, ListRow

Item = TypeVar("Item")


@dataclass(frozen=True)
class ProtocolList:
    """Rows and their info; `missing` is {utterance that was left out: reason}."""

    rows: list[ListRow]
    info: ListInfo
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """All options of protocols; each protocol refuses those that it does not use."""

    task: str | None = None
    source: Path | None = None  # a published list
    num: int = 0  # utterances, 0 for all
    seed: int = 0
    audio: Path | None = None  # folder to write audio to if utterances are pieces of recordings


def finish(
    protocol: str, rule: str, root: str, rows: Sequence[ListRow], missing: dict[str, str]
) -> ProtocolList:
    """Makes a test set of at least one utterance; DataError if there is none."""
    if not rows:
        example = next(iter(missing.items()), None)
        why = f"; of {len(missing)} missing, {example[0]}: {example[1]}" if example else ""
        raise DataError(f"{protocol}: no utterance can be listed{why}; check --corpus")
    info = ListInfo(protocol, rule, root, left_out=tuple(sorted(missing)))
    return ProtocolList(list(rows), info, missing)


def measured(path: Path, identifier: str, missing: dict[str, str]) -> float | None:
    """Returns the length of an audio file in s; if it is not whole, None and a note in `missing`.

    The file is read to its end, since the header does not tell whether a FLAC file is truncated.
    LibriSpeech test-clean takes about a minute.
    """
    try:
        audio_duration_s(path)  # explains a missing or damaged file
        rate = int(soundfile.info(path).samplerate)
        return len(load_audio(path, rate)) / rate
    except InputError as error:
        missing[identifier] = str(error)
        return None


def with_previous(
    items: Sequence[Item], speaker_of: Callable[[Item], str], id_of: Callable[[Item], str]
) -> dict[str, list[tuple[Item, Item]]]:
    """Returns {speaker: [(utterance, its prompt)]} by the rule of VALL-E 2 (2406.05370, 4.1.3).

    A speaker's utterances are sorted by id (as text, character by character). The prompt is the
    whole previous utterance; for the first utterance it is the last one. Speakers with a single
    utterance are left out.
    """
    own: dict[str, list[Item]] = {}
    for item in sorted(items, key=id_of):
        own.setdefault(speaker_of(item), []).append(item)
    return {
        speaker: [(target, spoken[place - 1]) for place, target in enumerate(spoken)]
        for speaker, spoken in sorted(own.items())
        if len(spoken) > 1
    }


def refuse_options(protocol: str, options: Options, *accepted: str) -> None:
    """Raises ConfigError for an option that would have no effect."""
    given = {
        "task": options.task is not None,
        "source": options.source is not None,
        "num": options.num != 0,
        "seed": options.seed != 0,
    }
    names = {"source": "--from"}
    for name, is_given in given.items():
        if is_given and name not in accepted:
            raise ConfigError(f"{protocol} has no {names.get(name, '--' + name)}; leave it")
