"""A scoring run from its request to its files: `latentspeech score` without the command line.

If a report is to be written, each score is also appended to `<report>.partial.jsonl` at once, and a
run that was interrupted continues from this file when the same request is made again.
"""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from latentspeech.core.device import CPU
from latentspeech.core.errors import ConfigError, DataError
from latentspeech.core.eval.report import EvalReport
from latentspeech.core.eval.report_markdown import write_report
from latentspeech.core.storage.files import check_target
from latentspeech.eval.metrics.catalogue import make_scorers
from latentspeech.eval.scoring.evaluate import evaluate
from latentspeech.eval.scoring.files import ScoreInputs, check_request, select_pairs
from latentspeech.eval.scoring.flags import refuse_unequal_lengths
from latentspeech.eval.scoring.score_store import ScoreStore, partial_path

logger = logging.getLogger(__name__)


def score_inputs(
    inputs: ScoreInputs,
    metrics: Sequence[str],
    *,
    out: Path | None = None,
    resume: bool = False,
    jobs: int = 1,
    device: torch.device = CPU,
    seed: int = 0,
    strict: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> EvalReport:
    """Scores a request and, with `out` (.json), writes the report there and its table as .md.

    Args:
        inputs: the files to score.
        metrics: names in `catalogue.METRICS`.
        out: path of the report. Scores that an unfinished run left beside it are reused.
        resume: also reuse the scores of the finished report at `out`.
        jobs: number of processes.
        device: where networks in torch compute.
        seed: seed of the bootstrap.
        strict: refuse pairs whose lengths differ by more than `flags.MAX_LENGTH_SHARE`.
        on_progress: called with (utterances done, all utterances).
    """
    store = _open_store(out, resume)
    scorers = make_scorers(metrics, device)
    selection = select_pairs(inputs)
    check_request(scorers, selection.pairs)
    if strict:
        refuse_unequal_lengths(selection.pairs, scorers)
    settings = {"list": selection.source}
    try:
        report = evaluate(
            selection.pairs,
            scorers,
            seed=seed,
            jobs=jobs,
            store=store,
            settings=settings,
            on_progress=on_progress,
        )
    except KeyboardInterrupt:
        if out is not None:
            logger.warning("interrupted; %d scores are kept in %s", len(store), store.path)
        raise
    if out is not None:
        write_report(report, out)
        store.remove()
    return report


def _open_store(out: Path | None, resume: bool) -> ScoreStore:
    if out is None:
        if resume:
            raise ConfigError("nothing to resume; name the report with --out")
        return ScoreStore()
    if out.suffix != ".json":
        raise ConfigError(f"{out}: reports are written as .json (and .md beside it)")
    check_target(out)
    store = ScoreStore(partial_path(out))
    if len(store):
        logger.info("%d scores of an unfinished run found in %s", len(store), store.path)
    if resume and out.is_file():
        try:
            store.take_from(EvalReport.read(out))
        except DataError as error:
            logger.warning("not resumed: %s", error)
    return store
