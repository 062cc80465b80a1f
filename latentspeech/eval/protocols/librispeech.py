"""The 4 to 10 s test set of LibriSpeech that VALL-E 2 describes without publishing a list.

The corpus has its published layout: `<part>/<speaker>/<chapter>/<speaker>-<chapter>-<number>.flac`
beside `<speaker>-<chapter>.trans.txt` (id, space, upper-case text) and, above the part,
`SPEAKERS.TXT` (`;` comments; id | sex | part | minutes | name).

The rule (Chen et al., 2024, arXiv 2406.05370, 4.1.3) takes utterances of test-clean that last 4 to
10 s, both limits included. Among these, in order of id, the prompt is the whole previous utterance
of the same speaker, and the speaker's first utterance has the last one as its prompt. For the 3 s
prefix the prompt is the first 3 s of the utterance itself. The paper counts 2.2 hours and 40
speakers; 1,234 utterances is the number usually given.
"""

from dataclasses import replace
from pathlib import Path

from latentspeech.core.errors import DataError, InputError
from latentspeech.eval.protocols.testset import (
    Options,
    ProtocolList,
    finish,
    measured,
    refuse_options,
    with_previous,
)
from latentspeech.eval.scoring.lists import ListRow

NAME = "librispeech-4-10"
MIN_DURATION_S = 4.0
MAX_DURATION_S = 10.0
PREFIX_S = 3.0
_RULES = {
    "reference": "test-clean, 4 to 10 s; prompt: the whole utterance before of the same speaker "
    "by id, the first takes the last (VALL-E 2)",
    "prefix": "test-clean, 4 to 10 s; prompt: the first 3 s of the utterance itself (VALL-E 2)",
}
_SEXES = {"F": "female", "M": "male"}


def librispeech_4_10(corpus: Path, options: Options) -> ProtocolList:
    """Makes the test set for `task`: reference (the default) or prefix."""
    refuse_options(NAME, options, "task")
    task = options.task or "reference"
    if task not in _RULES:
        raise InputError(f"{NAME} has no task {task!r}; choose from {', '.join(_RULES)}")
    part = find_part(corpus, "test-clean", "*/*/*.trans.txt")
    missing: dict[str, str] = {}
    rows = [
        row
        for row in read_part(part, missing)
        if row.duration_s is not None and MIN_DURATION_S <= row.duration_s <= MAX_DURATION_S
    ]
    pairs = with_previous(rows, lambda row: row.speaker or "", lambda row: row.id)
    if task == "prefix":
        chosen = [_continued(row) for row in sorted(rows, key=lambda row: (row.speaker, row.id))]
    else:
        chosen = [_prompted(*pair) for own in pairs.values() for pair in own]
        for row in rows:
            if row.speaker not in pairs:
                missing[row.id] = f"no other utterance of speaker {row.speaker} for a prompt"
    return finish(f"{NAME}/{task}", _RULES[task], str(part.resolve()), chosen, missing)


def find_part(corpus: Path, name: str, pattern: str) -> Path:
    """Finds the folder of a part: in `corpus`, one folder deeper, or `corpus` itself."""
    places = [corpus / name, *sorted(corpus.glob(f"*/{name}")), corpus]
    for place in places:
        if place.is_dir() and next(place.glob(pattern), None) is not None:
            return place
    raise DataError(f"{corpus} holds no {name}/{pattern}; expected the corpus as it is published")


def read_part(part: Path, missing: dict[str, str]) -> list[ListRow]:
    """Reads all utterances of the transcripts that have audio; `missing` gets the others."""
    sexes = read_sexes(part.parent)
    rows: list[ListRow] = []
    for table in sorted(part.glob("*/*/*.trans.txt")):
        for line in table.read_text(encoding="utf-8").split("\n"):
            identifier, _, text = line.strip().partition(" ")
            if not identifier:
                continue
            speaker = identifier.split("-")[0]
            path = table.parent / f"{identifier}.flac"
            duration_s = measured(path, identifier, missing)
            if duration_s is not None:
                row = ListRow(
                    id=identifier,
                    reference_path=path.relative_to(part).as_posix(),
                    transcript=text.strip(),
                    speaker=speaker,
                    sex=sexes.get(speaker),
                    duration_s=round(duration_s, 6),
                )
                rows.append(row)
    return rows


def read_sexes(root: Path) -> dict[str, str]:
    """Returns {speaker: female or male} from SPEAKERS.TXT or a similar file; {} without one."""
    sexes: dict[str, str] = {}
    for name, separator in (("SPEAKERS.TXT", "|"), ("SPEAKERS.txt", "|"), ("speakers.tsv", "\t")):
        path = root / name
        if not path.is_file():
            continue
        for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
            cells = [cell.strip() for cell in line.split(separator)]
            if not line.startswith(";") and len(cells) > 1 and cells[1] in _SEXES:
                sexes[cells[0]] = _SEXES[cells[1]]
    return sexes


def _prompted(target: ListRow, prompt: ListRow) -> ListRow:
    return replace(target, prompt_path=prompt.reference_path, prompt_text=prompt.transcript)


def _continued(row: ListRow) -> ListRow:
    return replace(row, prompt_path=row.reference_path, prefix_s=PREFIX_S)
