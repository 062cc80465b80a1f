"""The results of an evaluation and their file: every number with what it depends on.

An item is one thing under test: an utterance, an image, an answer. Items may belong to groups whose
members are alike, such as the utterances of one speaker; a second interval treats each group as one
unit. The report says what an item and a group are called (`item_name`, `group_name`).

A metric that this machine cannot measure stays in the report as a hole with its reason. An item
that could not be scored is named among the failures and is in no value, so read a value together
with its `num_failed`. A flag marks a score that is in the value but misleads by itself.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from latentspeech.core.errors import DataError, InputError
from latentspeech.core.eval.report_version_2 import upgrade
from latentspeech.core.eval.scorer import Score

SCHEMA_VERSION = 3

Interval = tuple[float, float]


@dataclass(frozen=True)
class Failure:
    """The reason why one item has no score of one metric."""

    id: str
    metric: str  # the scorer's name
    reason: str


@dataclass(frozen=True)
class Flag:
    """The reason why a score says less than it seems to; it is still in the value."""

    id: str
    metric: str  # the scorer's name
    reason: str


@dataclass(frozen=True)
class Bucket:
    """A part of the items, such as all of one length or all of one group."""

    kind: str  # the property that divides the items: "duration", or the report's `group_name`
    label: str  # the name of the part: "2 to 4 s", or the name of a group
    value: float
    interval: Interval | None  # over items
    num_scored: int


@dataclass(frozen=True)
class MetricResult:
    """One metric over all items; `value` is None if no item could be scored."""

    key: str  # its name on the command line; "" for a scorer that has no such name
    name: str  # the scorer's name, which `scores` and `failures` use
    unit: str
    higher_is_better: bool
    held_against: str
    value: float | None
    interval: Interval | None  # 95% over items, None below two
    group_interval: Interval | None  # 95% over groups, None below two or if one is unknown
    num_scored: int
    num_failed: int
    totals: dict[str, int]  # pooled counts of metrics that have them (WER)
    description: dict[str, Any]
    hole: str | None = None  # why the metric could not be measured on this machine at all
    buckets: list[Bucket] = field(default_factory=list)  # in the order of their table
    # Other numbers from the same scores: WER has the mean of the utterances' own error rates.
    beside: dict[str, float] = field(default_factory=dict)

    def buckets_by(self, kind: str) -> list[Bucket]:
        """The buckets of one kind."""
        return [bucket for bucket in self.buckets if bucket.kind == kind]


@dataclass(frozen=True)
class ItemResult:
    """One item and its scores, by the name of the metric's scorer."""

    id: str
    hypothesis: str  # path of the file under test, as it was given
    reference: str | None = None  # path of the file that it is compared with
    text: str | None = None  # the text that it should say, show or answer
    group: str | None = None  # items of one group are alike; None is unknown
    facts: dict[str, Any] = field(default_factory=dict)  # the modality's own facts about it
    fingerprint: str = ""  # hash of its files and texts, which shows whether scores still hold
    scores: dict[str, Score] = field(default_factory=dict)


@dataclass(frozen=True)
class EvalReport:
    """All results of an evaluation; `to_dict` gives the content of the JSON file.

    `settings` holds what the numbers depend on: seed, num_resamples, confidence, and the list with
    its hash and protocol. `run` describes the run: command, commit, date, hardware, versions of the
    libraries, jobs, seconds, peak_memory_bytes.
    """

    metrics: list[MetricResult]
    items: list[ItemResult]
    failures: list[Failure]
    settings: dict[str, Any]
    run: dict[str, Any] = field(default_factory=dict)
    item_name: str = "item"
    group_name: str = "group"
    flags: list[Flag] = field(default_factory=list)

    def num_flagged(self, metric: str) -> int:
        """The number of items whose score of this metric (the scorer's name) has a flag."""
        return len({flag.id for flag in self.flags if flag.metric == metric})

    @property
    def holes(self) -> dict[str, str]:
        """The reason for each metric that could not be measured, by the scorer's name."""
        return {m.name: m.hole for m in self.metrics if m.hole is not None}

    def metric(self, name: str) -> MetricResult:
        """Finds a metric by its command-line or scorer's name; InputError if there is none."""
        for result in self.metrics:
            if name.lower() in (result.key, result.name.lower()):
                return result
        names = ", ".join(result.key or result.name for result in self.metrics)
        raise InputError(f"the report has no metric {name!r}; choose from {names}")

    def to_dict(self) -> dict[str, Any]:
        """The report as plain lists, dicts, numbers and strings."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}

    @classmethod
    def read(cls, path: Path) -> "EvalReport":
        """Reads a JSON file of `write_report`; DataError if it is not one."""
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
        """Reads the result of `to_dict`, also after JSON; DataError if it is not a report."""
        version = values.get("schema_version") if isinstance(values, dict) else None
        if version == 2:
            values, version = upgrade(values, where), SCHEMA_VERSION
        if version != SCHEMA_VERSION:
            raise DataError(
                f"{where} has schema version {version}; expected {SCHEMA_VERSION}: score again"
            )
        try:
            return cls(
                metrics=[_metric(row) for row in values["metrics"]],
                items=[_item(row) for row in values["items"]],
                failures=[_make(Failure, row) for row in values["failures"]],
                settings=values["settings"],
                run=values["run"],
                item_name=values["item_name"],
                group_name=values["group_name"],
                flags=[_make(Flag, row) for row in values.get("flags", [])],  # newer than the rest
            )
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"{where} is damaged ({type(error).__name__}: {error}); score again"
            ) from None


def _metric(row: Mapping[str, Any]) -> MetricResult:
    values = dict(row)
    for key in ("interval", "group_interval"):
        values[key] = _interval(values[key])
    values["buckets"] = [
        _make(Bucket, {**bucket, "interval": _interval(bucket["interval"])})
        for bucket in values["buckets"]
    ]
    return _make(MetricResult, values)


def _item(row: Mapping[str, Any]) -> ItemResult:
    scores = {name: _make(Score, score) for name, score in row["scores"].items()}
    return _make(ItemResult, {**row, "scores": scores})


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
