"""What an evaluation found, and its file: every number with what it depends on.

A metric that this machine cannot measure stays in the report as a hole with its reason. An
utterance that could not be scored is named among the failures and never enters a value: read a
value with its `num_failed`.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from latentspeech.core.errors import DataError, InputError
from latentspeech.core.eval.scorer import Score
from latentspeech.core.files import atomic_path, write_json

SCHEMA_VERSION = 2

Interval = tuple[float, float]


@dataclass(frozen=True)
class Failure:
    """Why one utterance has no score of one metric."""

    id: str
    metric: str  # the scorer's name
    reason: str


@dataclass(frozen=True)
class Bucket:
    """A part of the corpus: all utterances of a length, of a speaker or of a sex."""

    group: str  # "duration", "words", "speaker" or "sex"
    label: str  # "2 to 4 s", "6 to 10 words", a speaker's or a sex's name
    value: float
    interval: Interval | None  # over utterances
    num_scored: int


@dataclass(frozen=True)
class MetricResult:
    """One metric over the corpus; `value` is None where no utterance could be scored."""

    key: str  # what the command line calls it; "" for a scorer that has no such name
    name: str  # the scorer's own, which `scores` and `failures` use
    unit: str
    higher_is_better: bool
    held_against: str
    value: float | None
    interval: Interval | None  # 95% over utterances, None below two
    speaker_interval: Interval | None  # 95% over speakers, None below two or where one is unknown
    num_scored: int
    num_failed: int
    totals: dict[str, int]  # pooled counts of metrics that have them (WER)
    description: dict[str, Any]
    hole: str | None = None  # why the metric could not be measured on this machine at all
    buckets: list[Bucket] = field(default_factory=list)  # in the order of a table
    # Other corpus numbers from the same scores: WER has the mean of the utterances' own rates.
    beside: dict[str, float] = field(default_factory=dict)

    def of_group(self, group: str) -> list[Bucket]:
        """The buckets of one kind."""
        return [bucket for bucket in self.buckets if bucket.group == group]


@dataclass(frozen=True)
class UtteranceResult:
    """One utterance: what it was, and its score by each metric (scorer's name) that it has."""

    id: str
    hypothesis: str  # paths as they were given
    reference: str | None = None
    prompt: str | None = None
    transcript: str | None = None
    speaker: str | None = None
    sex: str | None = None
    duration_s: float | None = None  # of the reference, without one of the hypothesis
    num_words: int | None = None  # of the transcript
    fingerprint: str = ""  # of its files and texts: tells whether its scores still hold
    scores: dict[str, Score] = field(default_factory=dict)


@dataclass(frozen=True)
class EvalReport:
    """Everything an evaluation found; `to_dict` is the JSON file.

    `settings` holds what the numbers depend on (seed, num_resamples, confidence, the list with its
    hash and protocol); `run` what one run of it was: command, commit, date, hardware, versions of
    the libraries, jobs, seconds, peak_memory_bytes.
    """

    metrics: list[MetricResult]
    utterances: list[UtteranceResult]
    failures: list[Failure]
    settings: dict[str, Any]
    run: dict[str, Any] = field(default_factory=dict)

    @property
    def holes(self) -> dict[str, str]:
        """Why each metric that could not be measured was not, by the scorer's name."""
        return {m.name: m.hole for m in self.metrics if m.hole is not None}

    def metric(self, name: str) -> MetricResult:
        """A metric by its command-line or scorer's name; InputError if it was not measured."""
        for result in self.metrics:
            if name.lower() in (result.key, result.name.lower()):
                return result
        names = ", ".join(result.key or result.name for result in self.metrics)
        raise InputError(f"the report has no metric {name!r}; choose from {names}")

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts, numbers and strings."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}

    def to_markdown(self) -> str:
        """A table of the corpus values, what each was measured with, and the failures by name."""
        from latentspeech.core.eval.report_markdown import render

        return render(self)

    def write(self, json_path: Path) -> None:
        """Writes the JSON and, beside it with the suffix `.md`, the table. Both atomically."""
        write_json(json_path, self.to_dict())
        with atomic_path(json_path.with_suffix(".md")) as temporary:
            temporary.write_text(self.to_markdown(), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "EvalReport":
        """The report in a JSON file of `write`; DataError if it is none."""
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise DataError(f"{path} not found; expected a report of latentspeech score") from None
        except (UnicodeDecodeError, json.JSONDecodeError, OSError) as error:
            raise DataError(
                f"{path} is no report ({error}); expected the JSON file of latentspeech score"
            ) from None
        return cls.from_dict(values, str(path))

    @classmethod
    def from_dict(cls, values: Any, where: str = "report") -> "EvalReport":
        """The report that `to_dict` gave, also after JSON; DataError if it is none."""
        version = values.get("schema_version") if isinstance(values, dict) else None
        if version != SCHEMA_VERSION:
            raise DataError(
                f"{where} has schema version {version}; expected {SCHEMA_VERSION}: score again"
            )
        try:
            return cls(
                metrics=[_metric(row) for row in values["metrics"]],
                utterances=[_utterance(row) for row in values["utterances"]],
                failures=[_make(Failure, row) for row in values["failures"]],
                settings=values["settings"],
                run=values["run"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{where} is damaged ({type(error).__name__}: {error}); score again"
            ) from None


def _metric(row: Mapping[str, Any]) -> MetricResult:
    values = dict(row)
    for key in ("interval", "speaker_interval"):
        values[key] = _interval(values[key])
    values["buckets"] = [
        _make(Bucket, {**bucket, "interval": _interval(bucket["interval"])})
        for bucket in values["buckets"]
    ]
    return _make(MetricResult, values)


def _utterance(row: Mapping[str, Any]) -> UtteranceResult:
    scores = {name: _make(Score, score) for name, score in row["scores"].items()}
    return _make(UtteranceResult, {**row, "scores": scores})


def _interval(edges: Any) -> Interval | None:
    if edges is None:
        return None
    low, high = edges
    return float(low), float(high)


def _make(kind: Any, values: Mapping[str, Any]) -> Any:
    unknown = values.keys() - {item.name for item in fields(kind)}
    if unknown:
        raise ValueError(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return kind(**values)
