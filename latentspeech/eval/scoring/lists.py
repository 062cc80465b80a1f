"""Lists of utterances to speak and to score, with a line for each utterance, as JSON lines or TSV.

Keys (or the columns of a TSV's first line) are the fields of `ListRow`; an unknown key is an error,
so that a misspelt one is not ignored. Our own lists have a file `<list>.info.json` with the
protocol, its rule, counts, the list's SHA-256 and a `root`. Paths are relative to this `root`, or
to the list's folder if there is no such file. Our lists contain no absolute path, so a corpus gives
the same hash on every machine.
"""

import csv
import dataclasses
import difflib
import hashlib
import io
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentspeech.audio.reading import AUDIO_SUFFIXES
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.storage.files import atomic_path, write_json
from latentspeech.eval.scoring.pair import EvalPair

INFO_SCHEMA_VERSION = 1
_PATHS = ("hypothesis_path", "reference_path", "prompt_path", "codec_prompt_path")
_NUMBERS = ("prefix_s", "compute_s", "first_audio_s", "duration_s")


@dataclass(frozen=True)
class ListRow:
    """One line: the fields of EvalPair, and those that a synthesis needs in addition."""

    id: str
    hypothesis_path: str | None = None
    reference_path: str | None = None
    prompt_path: str | None = None
    codec_prompt_path: str | None = None
    transcript: str | None = None
    prompt_text: str | None = None
    speaker: str | None = None
    sex: str | None = None
    prefix_s: float = 0.0
    duration_s: float | None = None  # of the reference
    compute_s: float | None = None
    first_audio_s: float | None = None


@dataclass(frozen=True)
class ListInfo:
    """The protocol of a list and the rule that chose it; its paths are relative to `root`."""

    protocol: str
    rule: str
    root: str = "."
    hardware: str | None = None  # the machine that made the audio and measured the times
    left_out: tuple[str, ...] = ()  # utterances that the rule has but this corpus lacks


@dataclass(frozen=True)
class EvalList:
    """A list from a file: rows, hash, the folder of relative paths, and info if it has one."""

    path: Path
    rows: list[ListRow]
    sha256: str
    root: Path
    info: ListInfo | None

    def pairs(self, hypotheses: Path | None = None) -> list[EvalPair]:
        """Returns the pairs to score; `hypotheses` is a folder with `<id>.wav` (or .flac, ...).

        Raises ConfigError if the list names no audio under test and no folder is given.
        """
        return [self._pair(row, hypotheses) for row in self.rows]

    def describe(self) -> dict[str, Any]:
        """Describes the list for a report's settings."""
        found: dict[str, Any] = {"file": self.path.name, "sha256": self.sha256}
        if self.info is not None:
            found |= {"protocol": self.info.protocol, "rule": self.info.rule}
            if self.info.hardware is not None:
                found["hardware"] = self.info.hardware
            if self.info.left_out:
                found["left_out"] = len(self.info.left_out)
        return found

    def _pair(self, row: ListRow, hypotheses: Path | None) -> EvalPair:
        values = dataclasses.asdict(row)
        for field in ("prompt_text", "duration_s"):
            del values[field]
        for field in _PATHS:
            values[field] = None if values[field] is None else self.root / values[field]
        if hypotheses is not None:
            values["hypothesis_path"] = find_audio(hypotheses, row.id)
        if values["hypothesis_path"] is None:
            raise ConfigError(
                f"{self.path}: {row.id} has no hypothesis_path; name the folder of the audio under "
                "test with --hyp, its files called after the ids"
            )
        return EvalPair(**values)


def find_audio(folder: Path, identifier: str) -> Path:
    """Finds an utterance's file in a folder; if there is none, returns the name for it."""
    for suffix in AUDIO_SUFFIXES:
        path = folder / f"{identifier}{suffix}"
        if path.is_file():
            return path
    return folder / f"{identifier}.wav"


def info_path(list_path: Path) -> Path:
    """Returns the path of the info file beside a list."""
    return list_path.with_name(list_path.name + ".info.json")


def read_list(path: Path, root: Path | None = None) -> EvalList:
    """Reads a list; `root`, if given, replaces the folder that its paths are relative to.

    Raises DataError for a bad line, which it names, and if the hash in the info file differs.
    """
    try:
        content = path.read_bytes()
        text = content.decode("utf-8")
    except FileNotFoundError:
        raise DataError(f"{path} not found; expected a list, .jsonl or .tsv") from None
    except (UnicodeDecodeError, OSError) as error:
        raise DataError(f"{path} cannot be read as text ({error}); expected a list") from None
    table = path.suffix.lower() in (".tsv", ".txt")
    rows = _parse_table(path, text) if table else _parse_lines(path, text)
    if not rows:
        raise DataError(f"{path} has no lines; expected one utterance a line")
    _check_ids(path, [row.id for row in rows])
    sha256 = hashlib.sha256(content).hexdigest()
    info = _read_info(path, sha256)
    start = Path(info.root) if info is not None else Path()
    return EvalList(path, rows, sha256, path.parent / start if root is None else root, info)


def write_list(path: Path, rows: Sequence[ListRow], info: ListInfo) -> str:
    """Writes a .jsonl list and its info; returns the hash. Equal rows give equal bytes."""
    if path.suffix != ".jsonl":
        raise ConfigError(f"{path}: lists are written as .jsonl; give such a name")
    if not rows:
        raise DataError(f"nothing to list for {info.protocol}; expected at least one utterance")
    _check_ids(path, [row.id for row in rows])
    content = "".join(_line(row) for row in rows).encode()
    sha256 = hashlib.sha256(content).hexdigest()
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)
    durations = [row.duration_s for row in rows if row.duration_s is not None]
    values = {
        "schema_version": INFO_SCHEMA_VERSION,
        "sha256": sha256,
        "num_utterances": len(rows),
        "num_speakers": len({row.speaker for row in rows if row.speaker is not None}),
        "total_s": round(math.fsum(durations), 3) if len(durations) == len(rows) else None,
        **dataclasses.asdict(info),
    }
    write_json(info_path(path), values)
    return sha256


def _line(row: ListRow) -> str:
    values = dataclasses.asdict(row)
    kept = {key: value for key, value in values.items() if value is not None}
    if not row.prefix_s:
        del kept["prefix_s"]
    return json.dumps(kept, ensure_ascii=False) + "\n"


def _parse_lines(path: Path, text: str) -> list[ListRow]:
    rows: list[ListRow] = []
    # Not splitlines(), which also splits at characters that a text may contain.
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        where = f"{path} line {number}"
        try:
            values = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{where} is not valid JSON: {error}") from None
        if not isinstance(values, dict):
            raise DataError(f"{where} is no JSON object; expected keys such as id, transcript")
        rows.append(_row(where, values))
    return rows


def _parse_table(path: Path, text: str) -> list[ListRow]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=csv.QUOTE_NONE)
    header = next(reader, [])
    rows: list[ListRow] = []
    for cells in reader:
        where = f"{path} line {reader.line_num}"
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            raise DataError(
                f"{where} has {len(cells)} columns, the first line {len(header)}; expected the same"
            )
        values = {key.strip(): cell.strip() for key, cell in zip(header, cells, strict=True)}
        rows.append(_row(where, {key: cell for key, cell in values.items() if cell}, header))
    return rows


def _row(where: str, values: Mapping[str, Any], columns: Sequence[str] = ()) -> ListRow:
    known = [field.name for field in dataclasses.fields(ListRow)]
    for key in [*values, *(column.strip() for column in columns)]:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            raise DataError(f"{where}: unknown key {key!r}; {hint}expected {', '.join(known)}")
    if not values.get("id"):
        raise DataError(f"{where} has no id; expected one for each utterance")
    return ListRow(
        **{key: _value(where, key, value) for key, value in values.items() if value is not None}
    )


def _value(where: str, key: str, value: Any) -> Any:
    if key not in _NUMBERS:
        if not isinstance(value, str):
            raise DataError(f"{where}: {key} is {value!r}; expected a string")
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise DataError(f"{where}: {key} is {value!r}; expected seconds, zero or more")
    return number


def _check_ids(path: Path, ids: Sequence[str]) -> None:
    seen: set[str] = set()
    for identifier in ids:
        if identifier in seen:
            raise DataError(f"{path}: id {identifier!r} occurs twice; expected distinct ids")
        seen.add(identifier)


def _read_info(path: Path, sha256: str) -> ListInfo | None:
    source = info_path(path)
    if not source.is_file():
        return None
    try:
        values = json.loads(source.read_text(encoding="utf-8"))
        stated = values["sha256"]
        fields = {field.name: values[field.name] for field in dataclasses.fields(ListInfo)}
    except (OSError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(
            f"{source} is damaged ({type(error).__name__}: {error}); make the list again"
        ) from None
    if stated != sha256:
        raise DataError(
            f"{path} has SHA-256 {sha256[:16]}..., {source.name} says {stated[:16]}...: the list "
            "was changed after it was made; make it again, or remove the info file if that is meant"
        )
    return ListInfo(**{**fields, "left_out": tuple(fields["left_out"])})
