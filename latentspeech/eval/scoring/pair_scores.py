"""Scores one pair with all metrics, and notes why a score could not be made.

`prepare_all` loads the models once. A model that is absent or broken makes a hole (a metric without
values) and does not affect the other metrics; an invalid setting (ConfigError) ends the run.
"""

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from latentspeech.core.errors import ConfigError, DataError, InputError
from latentspeech.core.eval.report import Failure
from latentspeech.core.eval.scorer import MetricUnavailable, Score
from latentspeech.eval.metrics.audio_scorer import AudioScorer
from latentspeech.eval.metrics.speed import TimingScorer
from latentspeech.eval.scoring.pair import EvalPair
from latentspeech.eval.scoring.pair_audio import PairAudio, held_against_path

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Readiness:
    """A scorer's description after loading; `hole` says why it could not be loaded, or is None."""

    description: dict[str, Any]
    hole: str | None


@dataclass(frozen=True)
class PairOutcome:
    """Scores by the scorer's name, and a failure for each scorer that has none."""

    scores: dict[str, Score] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


def prepare_all(scorers: Sequence[AudioScorer]) -> dict[str, Readiness]:
    """Loads every scorer's model."""
    return {scorer.name: _prepare(scorer) for scorer in scorers}


def score_pair(pair: EvalPair, scorers: Sequence[AudioScorer]) -> PairOutcome:
    """Scores one pair with every scorer; raises only ConfigError."""
    outcome = PairOutcome()
    audio = PairAudio(pair)
    for scorer in scorers:
        try:
            outcome.scores[scorer.name] = _score(pair, audio, scorer)
        except ConfigError:
            raise
        except (InputError, DataError) as error:
            outcome.failures.append(Failure(pair.id, scorer.name, str(error)))
        except Exception as error:  # a library's failure on one file must not end the run
            logger.exception("%s: %s failed", pair.id, scorer.name)
            reason = f"{type(error).__name__}: {error}"
            outcome.failures.append(Failure(pair.id, scorer.name, reason))
    return outcome


def _prepare(scorer: AudioScorer) -> Readiness:
    try:
        scorer.prepare()
        return Readiness(scorer.describe(), None)
    except MetricUnavailable as error:
        reason = str(error)
    except ConfigError:
        raise
    except Exception as error:  # a broken weight file must not prevent the other metrics
        logger.warning("%s cannot be measured: %s", scorer.name, error)
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
    return Readiness(_description_without_model(scorer), reason)


def _description_without_model(scorer: AudioScorer) -> dict[str, Any]:
    """Returns as much of a metric's description as is known without its package or weights."""
    try:
        return scorer.describe()
    except Exception:  # it may ask for the version of the missing package
        return {"metric": scorer.name}


def _score(pair: EvalPair, audio: PairAudio, scorer: AudioScorer) -> Score:
    held_against_path(pair, scorer)
    if scorer.needs_transcript and pair.transcript is None:
        raise InputError(f"{scorer.name} compares with a transcript; none was given")
    if isinstance(scorer, TimingScorer):
        score = scorer.score_timing(pair, audio.generated_s())
    else:
        reference, hypothesis, sample_rate = audio.heard_by(scorer)
        score = scorer.score(reference, hypothesis, sample_rate, pair.transcript)
        if scorer.cuts_to_common_length:
            score = replace(score, details={**score.details, "delay_s": audio.delay_s(scorer)})
    if not math.isfinite(score.value):
        raise DataError(f"{scorer.name} gave {score.value}; expected a finite number")
    return score
