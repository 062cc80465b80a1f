"""Keeps scores on disk during a run, so that a killed run continues where it ended.

Each score is appended as a JSON line as soon as it is known. A stored score is valid while the
utterance's files (size and time of change), texts and times and the metric's description stay the
same. Lines that a kill or a full disk truncated are ignored. Failures are not stored, so they are
tried again.
"""

import hashlib
import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from latentspeech.core.errors import DataError, InputError
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.scorer import Score
from latentspeech.eval.scoring.pair import EvalPair

logger = logging.getLogger(__name__)

_AUDIO_FIELDS = ("hypothesis_path", "reference_path", "prompt_path", "codec_prompt_path")


def fingerprint(pair: EvalPair) -> str:
    """Returns 16 hex digits that change if anything changes that the pair's scores depend on."""
    parts: list[Any] = [pair.id, pair.transcript, pair.prefix_s]
    parts += [pair.compute_s, pair.first_audio_s]
    for field in _AUDIO_FIELDS:
        path: Path | None = getattr(pair, field)
        parts.append(None if path is None else [str(path), *_state(path)])
    return _digest(parts)


def description_key(name: str, description: dict[str, Any]) -> str:
    """Returns 16 hex digits, the hash of a metric's description."""
    return _digest([name, description])


def partial_path(report_path: Path) -> Path:
    """Returns the path of the scores of an unfinished report."""
    return report_path.with_name(report_path.name + ".partial.jsonl")


class ScoreStore:
    """Known scores by (fingerprint, description key); new ones are appended to `path` if given."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self._file: Any = None
        self._known: dict[tuple[str, str], Score] = {}
        if path is not None and path.is_file():
            self._known = dict(_read_lines(path))

    def __len__(self) -> int:
        return len(self._known)

    def __enter__(self) -> Self:
        if self.path is not None:
            if not self.path.parent.is_dir():
                raise InputError(f"folder {self.path.parent} does not exist; create it first")
            # Writing starts on a new line, in case a kill truncated the last line of the file.
            # Unbuffered, so that closing has nothing to flush, which could fail once more.
            self._file = self.path.open("ab", buffering=0)
            self._write("\n" if self._file.tell() else "")
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def take_from(self, report: EvalReport) -> None:
        """Adds the scores of a finished report."""
        keys = {m.name: description_key(m.name, m.description) for m in report.metrics}
        for utterance in report.items:
            for name, score in utterance.scores.items():
                self._known[utterance.fingerprint, keys[name]] = score

    def get(self, utterance: str, metric: str) -> Score | None:
        """Returns the score of (fingerprint, description key) if it is known."""
        return self._known.get((utterance, metric))

    def put(self, utterance: str, metric: str, score: Score) -> Score:
        """Keeps a score; returns it as it will be read back, with details passed through JSON."""
        try:
            values = json.dumps(asdict(score), allow_nan=False)
        except (TypeError, ValueError) as error:
            raise DataError(f"details that are no JSON ({error})") from None
        line = json.dumps({"utterance": utterance, "metric": metric})
        kept = Score(**json.loads(values))
        self._known[utterance, metric] = kept
        self._write(f'{line[:-1]}, "score": {values}}}\n')
        return kept

    def remove(self) -> None:
        """Removes the file, which a finished report no longer needs."""
        if self.path is not None:
            self.path.unlink(missing_ok=True)

    def _write(self, text: str) -> None:
        if self._file is None:
            return
        rest = text.encode()
        try:
            while rest:
                rest = rest[self._file.write(rest) :]
        except OSError as error:
            raise InputError(
                f"{self.path} cannot be written ({error.strerror}); free space on the disk and "
                f"repeat the command: {len(self._known)} scores are kept"
            ) from None


def _read_lines(path: Path) -> list[tuple[tuple[str, str], Score]]:
    found = []
    bad = 0
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            if not line.strip():
                continue
            try:
                row = json.loads(line)
                found.append(((row["utterance"], row["metric"]), Score(**row["score"])))
            except (json.JSONDecodeError, KeyError, TypeError):
                bad += 1
    if bad:
        logger.warning("%s: %d damaged line(s) passed over; they are scored again", path, bad)
    return found


def _state(path: Path) -> list[int | str]:
    try:
        status = path.stat()
    except OSError:
        return ["missing"]
    return [status.st_size, status.st_mtime_ns]


def _digest(parts: Any) -> str:
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
