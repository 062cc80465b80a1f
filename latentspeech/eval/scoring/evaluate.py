"""Scores a list of pairs and sums it up: values, intervals, parts, holes, and all failures.

One bad file is named in the report and does not end the run; nor does a metric that this machine
cannot measure. Audio is not kept beyond its pair.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from latentspeech.audio.io import audio_duration_s
from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.eval.buckets import make_buckets
from latentspeech.core.eval.provenance import describe_run
from latentspeech.core.eval.report import EvalReport, Failure, MetricResult, UtteranceResult
from latentspeech.core.eval.scorer import Score, Scorer
from latentspeech.core.eval.statistics import CONFIDENCE, NUM_RESAMPLES, bootstrap_interval
from latentspeech.eval.metrics.catalogue import METRICS, make_scorer
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.eval.scoring.pair_scores import PairOutcome, Readiness
from latentspeech.eval.scoring.score_store import ScoreStore, description_key, fingerprint
from latentspeech.eval.scoring.workers import Bench, Task, open_bench


def evaluate(
    pairs: Sequence[EvalPair],
    scorers: Sequence[Scorer],
    *,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
    jobs: int = 1,
    store: ScoreStore | None = None,
    settings: dict[str, Any] | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvalReport:
    """Scores every pair with every scorer.

    Args:
        pairs: utterances with distinct ids.
        scorers: metrics with distinct names.
        seed: of the bootstrap.
        num_resamples: bootstrap draws.
        jobs: processes; each loads every model. The result does not depend on it.
        store: scores that are known already, and where new ones go; none: nothing is kept.
        settings: more for the report's `settings`, such as the list and its hash.
        on_progress: called with (utterances done, all utterances).

    Raises:
        ConfigError: the arguments cannot be used.
        DataError: no pairs, an id occurs twice, or a worker process died.
    """
    started = time.monotonic()
    _check_arguments(pairs, scorers, num_resamples)
    known_scores = ScoreStore() if store is None else store  # an empty one is false
    with known_scores as known, open_bench(scorers, jobs) as bench:
        readiness = bench.readiness()
        found = _Findings(pairs, readiness, known, on_progress)
        found.score(bench)
    utterances = found.utterances()
    metrics = [
        _summarise(scorer, readiness[scorer.name], utterances, seed, num_resamples)
        for scorer in scorers
    ]
    all_settings = {
        "seed": seed,
        "num_resamples": num_resamples,
        "confidence": CONFIDENCE,
        "num_utterances": len(pairs),
        "sample_rate": "each pair at the rate of what it is held against",
        **(settings or {}),
    }
    run = describe_run(time.monotonic() - started, jobs)
    return EvalReport(metrics, utterances, found.failures(scorers), all_settings, run)


class _Findings:
    """What is known of each pair: first out of the store, then from the bench."""

    def __init__(
        self,
        pairs: Sequence[EvalPair],
        readiness: dict[str, Readiness],
        known: ScoreStore,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        self._pairs = pairs
        self._known = known
        self._on_progress = on_progress
        self._keys = {
            name: description_key(name, ready.description)
            for name, ready in readiness.items()
            if ready.hole is None
        }
        self._prints = [fingerprint(pair) for pair in pairs]
        self._outcomes = [self._recall(place) for place in range(len(pairs))]

    def score(self, bench: Bench) -> None:
        """Measures what the store does not hold."""
        tasks: list[Task] = []
        for place, (pair, outcome) in enumerate(zip(self._pairs, self._outcomes, strict=True)):
            missing = frozenset(self._keys.keys() - outcome.scores.keys())
            if missing:
                tasks.append(Task(place, pair, missing))
        self._num_done = len(self._pairs) - len(tasks)
        self._report_progress()
        bench.run(tasks, self._take)

    def utterances(self) -> list[UtteranceResult]:
        """The pairs with their scores, in the order of the list."""
        return [
            _utterance(pair, self._prints[place], self._outcomes[place].scores)
            for place, pair in enumerate(self._pairs)
        ]

    def failures(self, scorers: Sequence[Scorer]) -> list[Failure]:
        """In the order of the list, for one pair in that of the metrics."""
        order = {scorer.name: number for number, scorer in enumerate(scorers)}
        return [
            failure
            for outcome in self._outcomes
            for failure in sorted(outcome.failures, key=lambda failure: order[failure.metric])
        ]

    def _recall(self, place: int) -> PairOutcome:
        outcome = PairOutcome()
        for name, key in self._keys.items():
            score = self._known.get(self._prints[place], key)
            if score is not None:
                outcome.scores[name] = score
        return outcome

    def _take(self, task: Task, outcome: PairOutcome) -> None:
        mine = self._outcomes[task.place]
        mine.failures.extend(outcome.failures)
        for name, score in outcome.scores.items():
            try:
                kept = self._known.put(self._prints[task.place], self._keys[name], score)
                mine.scores[name] = kept
            except DataError as error:
                mine.failures.append(Failure(task.pair.id, name, f"{name} gave {error}"))
        self._num_done += 1
        self._report_progress()

    def _report_progress(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._num_done, len(self._pairs))


def metric_key(scorer: Scorer) -> str:
    """What the command line calls this scorer; "" if it is none of METRICS."""
    for key, metric in METRICS.items():
        if (metric.module, metric.scorer) != (type(scorer).__module__, type(scorer).__name__):
            continue
        if make_scorer(key).name == scorer.name:
            return key
    return ""


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


def _utterance(pair: EvalPair, print_: str, scores: dict[str, Score]) -> UtteranceResult:
    return UtteranceResult(
        id=pair.id,
        hypothesis=str(pair.hypothesis_path),
        reference=None if pair.reference_path is None else str(pair.reference_path),
        prompt=None if pair.prompt_path is None else str(pair.prompt_path),
        transcript=pair.transcript,
        speaker=pair.speaker,
        sex=pair.sex,
        duration_s=_duration_s(pair),
        num_words=None if pair.transcript is None else len(pair.transcript.split()),
        fingerprint=print_,
        scores=scores,
    )


def _duration_s(pair: EvalPair) -> float | None:
    for path in (pair.reference_path, pair.hypothesis_path):
        if path is not None:
            try:
                return audio_duration_s(path)
            except InputError:
                continue
    return None


def _summarise(
    scorer: Scorer,
    ready: Readiness,
    utterances: Sequence[UtteranceResult],
    seed: int,
    num_resamples: int,
) -> MetricResult:
    result = MetricResult(
        key=metric_key(scorer),
        name=scorer.name,
        unit=scorer.unit,
        higher_is_better=scorer.higher_is_better,
        held_against=scorer.held_against,
        value=None,
        interval=None,
        speaker_interval=None,
        num_scored=0,
        num_failed=0 if ready.hole else len(utterances),
        totals={},
        description=ready.description,
        hole=ready.hole,
    )
    scored = [utterance for utterance in utterances if scorer.name in utterance.scores]
    if not scored:
        return result
    scores = [utterance.scores[scorer.name] for utterance in scored]
    speakers = [utterance.speaker for utterance in scored]
    by_speaker = None
    if None not in speakers:
        by_speaker = bootstrap_interval(scorer, scores, seed, num_resamples, speakers)
    return replace(
        result,
        value=scorer.aggregate(scores),
        interval=bootstrap_interval(scorer, scores, seed, num_resamples),
        speaker_interval=by_speaker,
        num_scored=len(scored),
        num_failed=len(utterances) - len(scored),
        totals=scorer.totals(scores),
        buckets=make_buckets(scorer, utterances, seed, num_resamples),
        beside=scorer.beside(scores),
    )
