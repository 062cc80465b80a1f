"""The LibriSpeech-PC list that F5-TTS publishes: prompts and texts with punctuation.

The file is tab-separated without a header and has six columns: id, seconds and text of the prompt;
id, seconds and text of the utterance to speak (Chen et al., 2024, arXiv 2410.06885; it is called
`librispeech_pc_test_clean_cross_sentence.lst` and has 1,127 lines). The ids are those of
LibriSpeech's test-clean, whose audio is used.
"""

import math
from collections.abc import Iterator
from pathlib import Path

from latentspeech.core.errors import DataError, InputError
from latentspeech.eval.protocols.librispeech import find_part, read_sexes
from latentspeech.eval.protocols.testset import (
    Options,
    ProtocolList,
    finish,
    measured,
    refuse_options,
)
from latentspeech.eval.scoring.lists import ListRow

NAME = "librispeech-pc"
# The list rounds lengths; a file whose length differs by more is another recording.
_LENGTH_TOLERANCE_S = 0.05


def librispeech_pc(corpus: Path, options: Options) -> ProtocolList:
    """Reads the list (`--from`) with the audio of a LibriSpeech folder, in the list's order."""
    refuse_options(NAME, options, "source")
    if options.source is None:
        raise InputError(f"{NAME} is a published list; name its file with --from")
    part = find_part(corpus, "test-clean", "*/*/*.flac")
    sexes = read_sexes(part.parent)
    missing: dict[str, str] = {}
    rows: list[ListRow] = []
    for number, line in _lines(options.source):
        cells = line.split("\t")
        if len(cells) != 6:
            raise DataError(
                f"{options.source} line {number} has {len(cells)} columns; expected six: id, "
                "seconds, text of the prompt and of the utterance"
            )
        prompt_id, prompt_s, prompt_text, identifier, duration_s, text = map(str.strip, cells)
        problems: dict[str, str] = {}
        found_s = _checked(part, identifier, duration_s, problems)
        _checked(part, prompt_id, prompt_s, problems)
        if problems or found_s is None:
            missing[identifier] = "; ".join(problems.values())
            continue
        speaker = identifier.split("-")[0]
        row = ListRow(
            id=identifier,
            reference_path=_path(identifier),
            prompt_path=_path(prompt_id),
            transcript=text,
            prompt_text=prompt_text,
            speaker=speaker,
            sex=sexes.get(speaker),
            duration_s=round(found_s, 6),
        )
        rows.append(row)
    rule = f"{options.source.name} of F5-TTS, in its order, audio of LibriSpeech test-clean"
    return finish(NAME, rule, str(part.resolve()), rows, missing)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}); expected the published list") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r")


def _path(identifier: str) -> str:
    parts = identifier.split("-")
    if len(parts) != 3 or not all(parts):
        raise DataError(f"{identifier!r} is no LibriSpeech id; expected speaker-chapter-number")
    return f"{parts[0]}/{parts[1]}/{identifier}.flac"


def _checked(part: Path, identifier: str, stated: str, problems: dict[str, str]) -> float | None:
    """Returns the length of the audio; None without audio.

    A missing file or a length other than the list's is noted in `problems`.
    """
    found_s = measured(part / _path(identifier), identifier, problems)
    try:
        stated_s = float(stated)
    except ValueError:
        stated_s = math.nan
    if not math.isfinite(stated_s):
        raise DataError(f"{identifier}: length {stated!r} in the list; expected seconds")
    if found_s is not None and abs(found_s - stated_s) > _LENGTH_TOLERANCE_S:
        problems[identifier] = f"{identifier} lasts {found_s:.3f} s, the list says {stated_s:.3f}"
    return found_s
