"""Finds the pairs of a request: two files, two folders, lhotse cuts with a folder, or a list.

Files of two folders are paired if their relative paths without the suffix are equal (`spk/a.wav`
and `spk/a.flac`); this path is also the utterance's id. A file without a partner is scored by
metrics that need none, and the other metrics report it by name.
"""

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from latentspeech.audio.reading import AUDIO_SUFFIXES
from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.metrics.speed import TimingScorer
from latentspeech.eval.scoring.lists import find_audio, read_list
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.eval.scoring.pair_audio import PARTNERS

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ScoreInputs:
    """A request: files or folders in `hypothesis` (alone or compared), `cuts`, or `list_file`."""

    hypothesis: Path | None = None  # file or folder under test; with cuts or a list, a folder
    reference: Path | None = None  # file or folder of originals; one file may serve a folder
    prompt: Path | None = None  # file or folder of the recordings that gave the voice
    codec_prompt: Path | None = None  # file or folder of the codec's copies of those
    transcript: str | None = None  # text of a single file
    transcripts: Path | None = None  # texts of many
    cuts: Path | None = None  # lhotse cuts of the originals
    list_file: Path | None = None
    corpus: Path | None = None  # folder that a list's paths are relative to; None: as the list says


@dataclass(frozen=True)
class Selection:
    """The pairs of a request, and a description of their source for the report."""

    pairs: list[EvalPair]
    source: dict[str, Any]


def select_pairs(inputs: ScoreInputs) -> Selection:
    """Finds the pairs that a request names; ConfigError or InputError if it names none."""
    if inputs.transcript is not None and (
        inputs.transcripts is not None or inputs.hypothesis is None or inputs.hypothesis.is_dir()
    ):
        raise ConfigError("one transcript is for one file; give a file of transcripts for a folder")
    if inputs.list_file is not None:
        return _from_list(inputs)
    pairs = _from_files(inputs) if inputs.cuts is None else _from_cuts(inputs)
    return Selection(pairs, {"sha256": _hash(pairs)})


def check_request(scorers: Sequence[AudioScorer], pairs: Sequence[EvalPair]) -> None:
    """Raises ConfigError for a metric whose inputs no utterance has."""
    options = {"reference": "--ref", "prompt": "--prompt", "codec_prompt": "--codec-prompt"}
    for scorer in scorers:
        against = scorer.held_against
        if against != "nothing" and all(getattr(p, f"{against}_path") is None for p in pairs):
            raise ConfigError(
                f"{scorer.name} compares with {PARTNERS[against]} and no utterance has one; give "
                f"{options[against]}, a list with {against}_path, or drop the metric"
            )
        if scorer.needs_transcript and all(pair.transcript is None for pair in pairs):
            raise ConfigError(
                f"{scorer.name} needs the text; give --transcript, --transcripts or a list with "
                "transcript, or drop the metric"
            )
        timed = any(p.compute_s is not None or p.first_audio_s is not None for p in pairs)
        if isinstance(scorer, TimingScorer) and not timed:
            raise ConfigError(
                f"{scorer.name} needs the times that synthesis took; give a list with compute_s "
                "or first_audio_s, or drop the metric"
            )


def read_transcripts(path: Path) -> dict[str, dict[str, str]]:
    """Reads {id: {text, speaker?, sex?}} from JSON lines or `id<TAB>text` lines."""
    if not path.is_file():
        raise DataError(f"{path} not found; expected a file with one transcript a line")
    entries: dict[str, dict[str, str]] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text; expected one transcript a line") from None
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        identifier, entry = _parse_line(line, f"{path} line {number}")
        if identifier in entries:
            raise DataError(f"{path} line {number}: id {identifier!r} occurs twice")
        entries[identifier] = entry
    return entries


def _from_list(inputs: ScoreInputs) -> Selection:
    assert inputs.list_file is not None
    for name in ("reference", "prompt", "codec_prompt", "transcripts", "cuts"):
        if getattr(inputs, name) is not None:
            raise ConfigError(f"a list names its own {name.replace('_', ' ')}; leave that option")
    if inputs.hypothesis is not None and not inputs.hypothesis.is_dir():
        raise InputError(f"{inputs.hypothesis} is no folder; expected one with <id>.wav files")
    chosen = read_list(inputs.list_file, inputs.corpus)
    return Selection(chosen.pairs(inputs.hypothesis), chosen.describe())


def _from_cuts(inputs: ScoreInputs) -> list[EvalPair]:
    from latentspeech.eval.protocols.cut_utterances import read_cut_rows

    assert inputs.cuts is not None
    if inputs.hypothesis is None or not inputs.hypothesis.is_dir():
        raise ConfigError(
            "cuts name the originals; give the folder of the audio under test (--hyp)"
        )
    if inputs.reference is not None or inputs.transcripts is not None:
        raise ConfigError("cuts name their own originals and texts; leave --ref and --transcripts")
    pairs: list[EvalPair] = []
    for row in read_cut_rows(inputs.cuts):
        pair = EvalPair(
            id=row.id,
            hypothesis_path=find_audio(inputs.hypothesis, row.id),
            reference_path=Path(row.reference_path or ""),
            prompt_path=_partner(inputs.prompt, row.id),
            codec_prompt_path=_partner(inputs.codec_prompt, row.id),
            transcript=row.transcript,
            speaker=row.speaker,
            sex=row.sex,
        )
        pairs.append(pair)
    return pairs


def _from_files(inputs: ScoreInputs) -> list[EvalPair]:
    if inputs.hypothesis is None:
        raise ConfigError("nothing to score; give --hyp (a file or a folder) or --list")
    if inputs.corpus is not None:
        raise ConfigError("--corpus is where a list's paths start; give --list or leave it")
    lines = {} if inputs.transcripts is None else read_transcripts(inputs.transcripts)
    tested = _files(inputs.hypothesis)
    reference = inputs.reference
    if reference is not None and reference.is_dir():
        if not inputs.hypothesis.is_dir():
            raise InputError(f"{reference} is a folder, {inputs.hypothesis} is not; two of a kind")
        originals = _files(reference)
    else:
        originals = {} if reference is None else dict.fromkeys(tested, reference)
    pairs: list[EvalPair] = []
    for identifier in sorted({*tested, *originals}):
        entry = lines.get(identifier) or lines.get(Path(identifier).name, {})
        pair = EvalPair(
            id=identifier,
            # A missing file gets the name that it should have, so that the report can name it.
            hypothesis_path=tested.get(identifier, inputs.hypothesis / f"{identifier}.wav"),
            reference_path=originals.get(identifier),
            prompt_path=_partner(inputs.prompt, identifier),
            codec_prompt_path=_partner(inputs.codec_prompt, identifier),
            transcript=entry.get("text", inputs.transcript),
            speaker=entry.get("speaker"),
            sex=entry.get("sex"),
        )
        pairs.append(pair)
    _warn_of_unused(lines, pairs, inputs.transcripts)
    return pairs


def _warn_of_unused(
    lines: Mapping[str, Any], pairs: Sequence[EvalPair], source: Path | None
) -> None:
    used = {name for pair in pairs for name in (pair.id, Path(pair.id).name)}
    num_without_audio = len(lines.keys() - used)
    if num_without_audio:
        logger.warning("%d ids of %s have no audio to score", num_without_audio, source)


def _partner(path: Path | None, identifier: str) -> Path | None:
    """Returns the file of an utterance if `path` is a folder, else `path` itself."""
    if path is None:
        return None
    return find_audio(path, identifier) if path.is_dir() else path


def _files(path: Path) -> dict[str, Path]:
    """Returns {id: file} of a folder or of a single file."""
    if not path.exists():
        raise InputError(f"{path} not found; expected an audio file or a folder of them")
    if not path.is_dir():
        return {path.stem: path}
    files: dict[str, Path] = {}
    for item in sorted(path.rglob("*")):
        if item.suffix.lower() not in AUDIO_SUFFIXES or not item.is_file():
            continue
        identifier = item.relative_to(path).with_suffix("").as_posix()
        if identifier in files:
            raise InputError(f"{item} and {files[identifier].name} share a name; remove one")
        files[identifier] = item
    if not files:
        raise InputError(f"{path} holds no audio files; expected {', '.join(AUDIO_SUFFIXES)}")
    return files


def _parse_line(line: str, where: str) -> tuple[str, dict[str, str]]:
    if line.lstrip().startswith("{"):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{where} is not valid JSON: {error}") from None
        if not isinstance(row.get("id"), str) or not isinstance(row.get("text"), str):
            raise DataError(f"{where} lacks `id` or `text`; expected both as strings")
        keys = ("text", "speaker", "sex")
        return row["id"], {key: row[key] for key in keys if isinstance(row.get(key), str)}
    identifier, tab, text = line.partition("\t")
    if not tab:
        raise DataError(f"{where} has no tab; expected id, tab, text")
    return identifier.strip(), {"text": text.strip()}


def _hash(pairs: Sequence[EvalPair]) -> str:
    """Hashes ids, texts, speakers and prefixes; utterances in other folders have equal hashes."""
    rows = [[p.id, p.transcript, p.speaker, p.prefix_s] for p in pairs]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()
