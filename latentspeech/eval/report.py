"""Scores a list of utterances and reports the corpus: values, intervals, and all failures.

One bad file is named in the report and does not end the run; a missing package does. The interval
is the percentile bootstrap over utterances (they count as independent, also those of one speaker),
each draw aggregated the way the scorer aggregates. Failures never enter a value: read it with its
`num_failed`.
"""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import soundfile
import torch
from torch import Tensor

from latentspeech.audio.io import audio_duration_s, load_audio
from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.files import atomic_path, write_json
from latentspeech.core.tensors import make_generator
from latentspeech.eval.scorer import Score, Scorer

logger = logging.getLogger(__name__)

SCHEMA_VERSION = 1
CONFIDENCE = 0.95
NUM_RESAMPLES = 1000
_SHOWN_FAILURES = 20


@dataclass(frozen=True)
class EvalPair:
    """One utterance under test and what it is held against."""

    id: str
    hypothesis_path: Path
    reference_path: Path | None = None
    transcript: str | None = None
    speaker: str | None = None


@dataclass(frozen=True)
class Failure:
    """Why one utterance has no score of one metric."""

    id: str
    metric: str
    reason: str


@dataclass(frozen=True)
class MetricResult:
    """One metric over the corpus; `value` is None where no utterance could be scored."""

    name: str
    unit: str
    higher_is_better: bool
    value: float | None
    interval: tuple[float, float] | None  # 95%, None below two utterances
    num_scored: int
    num_failed: int
    totals: dict[str, int]  # pooled counts of metrics that have them (WER)
    by_speaker: dict[str, float]
    description: dict[str, Any]


@dataclass(frozen=True)
class EvalReport:
    """Everything an evaluation found; `to_dict` is the JSON file."""

    metrics: list[MetricResult]
    utterances: list[dict[str, Any]]  # id, speaker, scores: {metric: {value, details}}
    failures: list[Failure]
    settings: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Plain lists, dicts, numbers and strings."""
        return {"schema_version": SCHEMA_VERSION, **asdict(self)}

    def to_markdown(self) -> str:
        """A table of the corpus values, what each was measured with, and the failures by name."""
        return "\n".join([*_table(self.metrics), *_notes(self)]) + "\n"

    def write(self, json_path: Path) -> None:
        """Writes the JSON and, beside it with the suffix `.md`, the table. Both atomically."""
        write_json(json_path, self.to_dict())
        with atomic_path(json_path.with_suffix(".md")) as temporary:
            temporary.write_text(self.to_markdown(), encoding="utf-8")


def evaluate(
    pairs: Sequence[EvalPair],
    scorers: Sequence[Scorer],
    *,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvalReport:
    """Scores every pair with every scorer.

    Both files of a pair are read at the reference's own sample rate (without a reference, at the
    hypothesis's); each scorer goes on from there.

    Args:
        pairs: utterances with distinct ids.
        scorers: metrics with distinct names.
        seed: of the bootstrap.
        num_resamples: bootstrap draws.
        on_progress: called with (utterances done, all utterances).

    Raises:
        ConfigError: a scorer's package or model is missing, or the arguments cannot be used.
        DataError: no pairs, or an id occurs twice.
    """
    _check_arguments(pairs, scorers, num_resamples)
    found: list[dict[str, Score]] = []
    failures: list[Failure] = []
    for done, pair in enumerate(pairs, start=1):
        scores, failed = _score_pair(pair, scorers)
        found.append(scores)
        failures.extend(failed)
        if on_progress is not None:
            on_progress(done, len(pairs))
    metrics = [_summarise(s, pairs, found, seed, num_resamples) for s in scorers]
    utterances = [
        {
            "id": pair.id,
            "speaker": pair.speaker,
            "scores": {n: asdict(s) for n, s in scores.items()},
        }
        for pair, scores in zip(pairs, found, strict=True)
    ]
    settings = {
        "seed": seed,
        "num_resamples": num_resamples,
        "confidence": CONFIDENCE,
        "num_utterances": len(pairs),
        "sample_rate": "each pair at its reference's own rate",
    }
    return EvalReport(metrics, utterances, failures, settings)


def bootstrap_interval(
    scorer: Scorer, scores: Sequence[Score], seed: int = 0, num_resamples: int = NUM_RESAMPLES
) -> tuple[float, float] | None:
    """95% percentile interval of the corpus value over redrawn utterances; None below two."""
    if len(scores) < 2:
        return None
    generator = make_generator(seed, f"bootstrap/{scorer.name}")
    values: list[float] = []
    for _ in range(num_resamples):
        drawn = torch.randint(len(scores), (len(scores),), generator=generator).tolist()
        values.append(scorer.aggregate([scores[index] for index in drawn]))
    tail = (1 - CONFIDENCE) / 2
    edges = torch.tensor([tail, 1 - tail], dtype=torch.float64)
    low, high = torch.quantile(torch.tensor(values, dtype=torch.float64), edges).tolist()
    return low, high


def _check_arguments(
    pairs: Sequence[EvalPair], scorers: Sequence[Scorer], num_resamples: int
) -> None:
    if not pairs:
        raise DataError("no utterances to score; expected at least one pair of files")
    if not scorers:
        raise ConfigError("no metrics to measure; name at least one")
    if num_resamples < 1:
        raise ConfigError(f"num_resamples = {num_resamples}; expected at least 1")
    _check_distinct("utterance id", [pair.id for pair in pairs], DataError)
    _check_distinct("metric", [scorer.name for scorer in scorers], ConfigError)


def _check_distinct(what: str, names: list[str], error: type[ValueError]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise error(f"{what} {name!r} occurs more than once; expected distinct ones")
        seen.add(name)


def _score_pair(
    pair: EvalPair, scorers: Sequence[Scorer]
) -> tuple[dict[str, Score], list[Failure]]:
    scores: dict[str, Score] = {}
    failures: list[Failure] = []
    audio = _Signals(pair)
    for scorer in scorers:
        try:
            reference, hypothesis, sample_rate = audio.read(scorer.needs_reference)
            score = scorer.score(reference, hypothesis, sample_rate, pair.transcript)
            if not math.isfinite(score.value):
                raise DataError(f"{scorer.name} gave {score.value}; expected a finite number")
            scores[scorer.name] = score
        except ConfigError:
            raise
        except (InputError, DataError) as error:
            failures.append(Failure(pair.id, scorer.name, str(error)))
        except Exception as error:  # a library's own failure on one file must not cost the others
            logger.exception("%s: %s failed", pair.id, scorer.name)
            failures.append(Failure(pair.id, scorer.name, f"{type(error).__name__}: {error}"))
    return scores, failures


class _Signals:
    """The audio of one pair, each file read once, and only when a metric asks for it."""

    def __init__(self, pair: EvalPair) -> None:
        self._pair = pair
        self._read: dict[tuple[Path, int], Tensor] = {}

    def read(self, with_reference: bool) -> tuple[Tensor | None, Tensor, int]:
        """(reference or None, hypothesis, sample rate of both)."""
        tested, original = self._pair.hypothesis_path, self._pair.reference_path
        if not with_reference or original is None:
            rate = _native_rate(tested)
            return None, self._load(tested, rate), rate
        rate = _native_rate(original)
        return self._load(original, rate), self._load(tested, rate), rate

    def _load(self, path: Path, sample_rate: int) -> Tensor:
        key = (path, sample_rate)
        if key not in self._read:
            self._read[key] = load_audio(path, sample_rate)
        return self._read[key]


def _native_rate(path: Path) -> int:
    audio_duration_s(path)  # a missing or damaged file is explained there
    return int(soundfile.info(path).samplerate)


def _summarise(
    scorer: Scorer,
    pairs: Sequence[EvalPair],
    found: Sequence[dict[str, Score]],
    seed: int,
    num_resamples: int,
) -> MetricResult:
    scores: list[Score] = []
    speakers: dict[str, list[Score]] = {}
    for pair, result in zip(pairs, found, strict=True):
        if scorer.name in result:
            scores.append(result[scorer.name])
            if pair.speaker is not None:
                speakers.setdefault(pair.speaker, []).append(result[scorer.name])
    return MetricResult(
        name=scorer.name,
        unit=scorer.unit,
        higher_is_better=scorer.higher_is_better,
        value=scorer.aggregate(scores) if scores else None,
        interval=bootstrap_interval(scorer, scores, seed, num_resamples),
        num_scored=len(scores),
        num_failed=len(pairs) - len(scores),
        totals=scorer.totals(scores),
        by_speaker={name: scorer.aggregate(group) for name, group in sorted(speakers.items())},
        description=scorer.describe(),
    )


def _table(metrics: Sequence[MetricResult]) -> list[str]:
    lines = [
        "| metric | value | 95% interval | better | scored | failed |",
        "|---|---|---|---|---|---|",
    ]
    for metric in metrics:
        value = "none" if metric.value is None else f"{metric.value:.3f} {metric.unit}".strip()
        edges = metric.interval
        interval = "none" if edges is None else f"{edges[0]:.3f} to {edges[1]:.3f}"
        better = "higher" if metric.higher_is_better else "lower"
        lines.append(
            f"| {metric.name} | {value} | {interval} | {better} "
            f"| {metric.num_scored} | {metric.num_failed} |"
        )
    return lines


def _notes(report: EvalReport) -> list[str]:
    lines = ["", "Measured with:", ""]
    for metric in report.metrics:
        parts = (f"{key} {value}" for key, value in metric.description.items() if key != "metric")
        lines.append(f"- {metric.name}: {'; '.join(parts)}")
        if metric.totals:
            counts = ", ".join(f"{count} {kind}" for kind, count in metric.totals.items())
            lines.append(f"  (pooled: {counts})".replace("_", " "))
    if report.failures:
        lines += ["", f"Not scored ({len(report.failures)}):", ""]
        shown = report.failures[:_SHOWN_FAILURES]
        lines += [f"- {f.id}, {f.metric}: {' '.join(f.reason.split())}" for f in shown]
        hidden = len(report.failures) - len(shown)
        lines += [f"- and {hidden} more, all in the JSON file"] if hidden else []
    return lines
