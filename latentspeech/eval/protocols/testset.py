"""What every protocol returns: rows of a list, and what they are."""

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
    """Rows and their info; `missing` says of each utterance that was left out why."""

    rows: list[ListRow]
    info: ListInfo
    missing: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Options:
    """What a protocol may be told; each refuses what it cannot use."""

    task: str | None = None
    source: Path | None = None  # a published list
    num: int = 0  # utterances, 0 for all
    seed: int = 0
    audio: Path | None = None  # folder for audio that has to be cut out


def finish(
    protocol: str, rule: str, root: str, rows: Sequence[ListRow], missing: dict[str, str]
) -> ProtocolList:
    """A test set of at least one utterance; DataError if the corpus has none of them."""
    if not rows:
        example = next(iter(missing.items()), None)
        why = f"; of {len(missing)} missing, {example[0]}: {example[1]}" if example else ""
        raise DataError(f"{protocol}: no utterance can be listed{why}; check --corpus")
    info = ListInfo(protocol, rule, root, left_out=tuple(sorted(missing)))
    return ProtocolList(list(rows), info, missing)


def measured(path: Path, identifier: str, missing: dict[str, str]) -> float | None:
    """Length of an audio file, read to its end; None, and a note in `missing`, if it is not whole.

    A header alone does not tell that a FLAC file was cut short. LibriSpeech test-clean takes about
    a minute.
    """
    try:
        audio_duration_s(path)  # a missing or damaged file is explained there
        rate = int(soundfile.info(path).samplerate)
        return len(load_audio(path, rate)) / rate
    except InputError as error:
        missing[identifier] = str(error)
        return None


def with_previous(
    items: Sequence[Item], speaker_of: Callable[[Item], str], id_of: Callable[[Item], str]
) -> dict[str, list[tuple[Item, Item]]]:
    """{speaker: [(utterance, its prompt)]}: the rule of VALL-E 2 (2406.05370, 4.1.3).

    Within a speaker's utterances in order of id (as text, character by character), the prompt is
    the whole utterance before; the first takes the last. Speakers with a single one are left out.
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
    """ConfigError for an option that would have no effect."""
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
