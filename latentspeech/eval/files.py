"""Scoring files and folders by metric names: what `latentspeech score` and the recipes call.

Two folders are paired by their files' paths inside them without the suffix (`spk/a.wav` with
`spk/a.flac`), which is also the utterance's id. A file whose partner is missing is scored where the
metric needs no partner, and reported by name where it does.
"""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.eval.report import EvalPair, EvalReport, evaluate
from latentspeech.eval.scorer import Scorer

logger = logging.getLogger(__name__)

METRICS = ("pesq", "stoi", "mel", "wer", "sim")
_AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".opus", ".mp3")


def make_scorers(metrics: Sequence[str]) -> list[Scorer]:
    """Scorers by their short names; ConfigError for an unknown name or a missing package."""
    return [_make_scorer(metric.strip().lower()) for metric in metrics]


def score_files(
    hypothesis: Path,
    reference: Path | None = None,
    metrics: Sequence[str] = ("pesq", "stoi", "mel"),
    *,
    transcript: str | None = None,
    transcripts: Path | None = None,
    seed: int = 0,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvalReport:
    """Scores a file against a file, or every file of a folder against its partner in another.

    Args:
        hypothesis: file or folder under test.
        reference: file or folder of originals; a single file may serve a whole folder (a voice
            prompt, for `sim`).
        metrics: names out of METRICS.
        transcript: text of a single file.
        transcripts: texts of many: JSON lines with `id` and `text` (a manifest; also `speaker`), or
            lines of id, tab, text.
        seed: of the bootstrap interval.
        on_progress: called with (utterances done, all utterances).
    """
    scorers = make_scorers(metrics)
    for scorer in scorers:
        if scorer.needs_reference and reference is None:
            raise ConfigError(
                f"{scorer.name} compares with a reference; give one or drop the metric"
            )
        if scorer.needs_transcript and transcript is None and transcripts is None:
            raise ConfigError(f"{scorer.name} needs the text; give a transcript or drop the metric")
    if transcript is not None and (transcripts is not None or hypothesis.is_dir()):
        raise ConfigError("one transcript is for one file; give a file of transcripts for a folder")
    lines = {} if transcripts is None else read_transcripts(transcripts)
    pairs = list(_pairs(hypothesis, reference, transcript, lines))
    num_without_audio = len(lines.keys() - {pair.id for pair in pairs})
    if num_without_audio:
        logger.warning("%d ids of %s have no audio to score", num_without_audio, transcripts)
    return evaluate(pairs, scorers, seed=seed, on_progress=on_progress)


def read_transcripts(path: Path) -> dict[str, dict[str, str]]:
    """{id: {text, speaker?}} from JSON lines or `id<TAB>text` lines."""
    if not path.is_file():
        raise DataError(f"{path} not found; expected a file with one transcript a line")
    entries: dict[str, dict[str, str]] = {}
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise DataError(f"{path} is not UTF-8 text; expected one transcript a line") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        identifier, entry = _parse_line(line, f"{path} line {number}")
        if identifier in entries:
            raise DataError(f"{path} line {number}: id {identifier!r} occurs twice")
        entries[identifier] = entry
    return entries


def _make_scorer(metric: str) -> Scorer:
    # Imported here: naming one metric must not load the packages of the others.
    match metric:
        case "pesq":
            from latentspeech.eval.pesq_wb import PesqWideBand

            return PesqWideBand()
        case "stoi":
            from latentspeech.eval.stoi import Stoi

            return Stoi()
        case "mel":
            from latentspeech.eval.mel_distance import MelDistance

            return MelDistance()
        case "wer":
            from latentspeech.eval.wer import WhisperWer

            return WhisperWer()
        case "sim":
            from latentspeech.eval.similarity import SpeakerSimilarity

            return SpeakerSimilarity()
    raise ConfigError(f"unknown metric {metric!r}; choose from {', '.join(METRICS)}")


def _pairs(
    hypothesis: Path,
    reference: Path | None,
    transcript: str | None,
    lines: Mapping[str, dict[str, str]],
) -> Iterator[EvalPair]:
    tested = _files(hypothesis)
    if reference is not None and reference.is_dir():
        if not hypothesis.is_dir():
            raise InputError(f"{reference} is a folder, {hypothesis} is not; give two of a kind")
        originals = _files(reference)
    else:
        originals = {} if reference is None else dict.fromkeys(tested, reference)
    for identifier in sorted({*tested, *originals}):
        entry = lines.get(identifier) or lines.get(Path(identifier).name, {})
        # A file that nobody made gets the name it should have, so that the report can name it.
        missing = hypothesis / f"{identifier}.wav"
        yield EvalPair(
            id=identifier,
            hypothesis_path=tested.get(identifier, missing),
            reference_path=originals.get(identifier),
            transcript=entry.get("text", transcript),
            speaker=entry.get("speaker"),
        )


def _files(path: Path) -> dict[str, Path]:
    """{id: file} of a folder, or of the one file."""
    if not path.exists():
        raise InputError(f"{path} not found; expected an audio file or a folder of them")
    if not path.is_dir():
        return {path.stem: path}
    files: dict[str, Path] = {}
    for item in sorted(path.rglob("*")):
        if item.suffix.lower() not in _AUDIO_SUFFIXES or not item.is_file():
            continue
        identifier = item.relative_to(path).with_suffix("").as_posix()
        if identifier in files:
            raise InputError(f"{item} and {files[identifier].name} share a name; remove one")
        files[identifier] = item
    if not files:
        raise InputError(f"{path} holds no audio files; expected {', '.join(_AUDIO_SUFFIXES)}")
    return files


def _parse_line(line: str, where: str) -> tuple[str, dict[str, str]]:
    if line.lstrip().startswith("{"):
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{where} is not valid JSON: {error}") from None
        if not isinstance(row.get("id"), str) or not isinstance(row.get("text"), str):
            raise DataError(f"{where} lacks `id` or `text`; expected both as strings")
        entry = {key: row[key] for key in ("text", "speaker") if isinstance(row.get(key), str)}
        return row["id"], entry
    identifier, tab, text = line.partition("\t")
    if not tab:
        raise DataError(f"{where} has no tab; expected id, tab, text")
    return identifier.strip(), {"text": text.strip()}
