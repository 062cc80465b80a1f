"""Scores many pairs, in this process or in several that each load every model once.

Worker processes are spawned, not forked, since libraries with their own threads do not survive a
fork. They share this process's number of threads equally, ignore Ctrl-C (the parent tells them to
stop) and die with the parent. If a worker dies, the scores of the pair it worked on are lost; all
earlier scores have been passed on.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import torch

from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.train.processes.stop import die_with_parent
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.eval.scoring.pair_scores import PairOutcome, Readiness, prepare_all, score_pair


class WorkerError(DataError):
    """A scoring process ended without a result."""


@dataclass(frozen=True)
class UnscoredPair:
    """A pair to score, and the names of the scorers whose scores it still lacks."""

    place: int  # in the list of pairs
    pair: EvalPair
    metrics: frozenset[str]


OnOutcome = Callable[[UnscoredPair, PairOutcome], None]


class Bench(Protocol):
    """Loaded scorers, in this process or in several."""

    def readiness(self) -> dict[str, Readiness]:
        """Returns the readiness of each scorer by its name."""

    def run(self, unscored: Sequence[UnscoredPair], on_outcome: OnOutcome) -> None:
        """Scores all pairs; calls `on_outcome` as outcomes become known, in any order."""


@contextmanager
def open_bench(scorers: Sequence[AudioScorer], jobs: int) -> Iterator[Bench]:
    """Opens a bench with `jobs` processes; with 1 it is this process."""
    if jobs < 1:
        raise ConfigError(f"jobs = {jobs}; expected at least 1")
    if jobs == 1:
        yield _OwnProcess(scorers)
        return
    executor = ProcessPoolExecutor(
        max_workers=jobs,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start_worker,
        initargs=(list(scorers), os.getpid(), max(1, torch.get_num_threads() // jobs)),
    )
    try:
        yield _Processes(executor, jobs)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


class _OwnProcess:
    def __init__(self, scorers: Sequence[AudioScorer]) -> None:
        self._scorers = scorers

    def readiness(self) -> dict[str, Readiness]:
        return prepare_all(self._scorers)

    def run(self, unscored: Sequence[UnscoredPair], on_outcome: OnOutcome) -> None:
        for one in unscored:
            scorers = [scorer for scorer in self._scorers if scorer.name in one.metrics]
            on_outcome(one, score_pair(one.pair, scorers))


class _Processes:
    def __init__(self, executor: ProcessPoolExecutor, jobs: int) -> None:
        self._executor = executor
        self._jobs = jobs

    def readiness(self) -> dict[str, Readiness]:
        try:
            return self._executor.submit(_worker_readiness).result()
        except BrokenProcessPool:
            raise WorkerError(
                "a scoring process died while it loaded the models; out of memory? "
                "Try fewer jobs or fewer metrics"
            ) from None

    def run(self, unscored: Sequence[UnscoredPair], on_outcome: OnOutcome) -> None:
        waiting = iter(unscored)
        flying: dict[Future[PairOutcome], UnscoredPair] = {}
        try:
            while True:
                # At most one submitted pair for each worker, so that the error can name the pairs.
                for one in islice(waiting, self._jobs - len(flying)):
                    flying[self._executor.submit(_worker_score, one)] = one
                if not flying:
                    return
                done, _ = wait(flying, return_when=FIRST_COMPLETED)
                for future in done:
                    on_outcome(flying[future], future.result())
                    del flying[future]
        except BrokenProcessPool:
            lost = ", ".join(one.pair.id for one in flying.values())
            raise WorkerError(
                "a scoring process died (out of memory, or a crash inside a library) at one of: "
                f"{lost}; earlier scores are kept beside the report that --out names: repeat the "
                "command, with fewer jobs if memory is short"
            ) from None


_scorers: list[AudioScorer] = []
_readiness: dict[str, Readiness] | ConfigError = {}


def _start_worker(scorers: list[AudioScorer], parent: int, num_threads: int) -> None:
    global _readiness
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent()
    if os.getppid() != parent:
        os._exit(1)
    torch.set_num_threads(num_threads)
    _scorers.extend(scorers)
    try:
        _readiness = prepare_all(_scorers)
    except ConfigError as error:  # if raised here, it would only break the pool
        _readiness = error


def _worker_readiness() -> dict[str, Readiness]:
    if isinstance(_readiness, ConfigError):
        raise _readiness
    return _readiness


def _worker_score(one: UnscoredPair) -> PairOutcome:
    return score_pair(one.pair, [scorer for scorer in _scorers if scorer.name in one.metrics])
