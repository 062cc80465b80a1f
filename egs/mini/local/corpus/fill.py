"""Lets a source speak or play into a corpus until it is full or the source has no more.

Several threads synthesize; one, the caller's, writes, in the order of the plan.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch

from egs.mini.local.corpus.plan import PlannedUtterance, plan_utterances
from egs.mini.local.corpus.writer import CorpusWriter
from egs.mini.local.sources.protocol import RecordedAudio, Synthesizer, Waveform
from latentspeech.audio.speech.speech_check import holds_speech
from latentspeech.core.errors import DataError

logger = logging.getLogger(__name__)

_REPORT_EVERY = 50


def add_speech(
    name: str,
    source: Synthesizer,
    sentences: list[str],
    writer: CorpusWriter,
    is_full: Callable[[], bool],
    jobs: int,
) -> None:
    """Adds the synthetic utterances that are missing, in the order of the plan."""
    limit = source.max_minutes_per_voice
    limit_s = float("inf") if limit is None else 60 * limit
    progress = _Progress(name, writer)
    voices = source.voices()

    def wanted() -> Iterator[PlannedUtterance]:
        for planned in plan_utterances(name, sentences, voices):
            if all(writer.seconds[voice] >= limit_s for voice in voices):
                return
            if planned.id not in writer.ids and writer.seconds[planned.voice] < limit_s:
                yield planned

    for planned, waveform in _synthesize(source, wanted(), jobs):
        row = {
            "id": planned.id,
            "speaker": planned.voice,
            "text": planned.text,
            "source": name,
            "licence": source.licence,
            "kind": "speech",
        }
        if not _add(writer, waveform, row):
            logger.debug("left out %s: too short, too long or silent", planned.id)
        progress.tick()
        if is_full():
            break
    progress.report()


def add_recordings(
    name: str, source: RecordedAudio, writer: CorpusWriter, is_full: Callable[[], bool]
) -> None:
    """Adds the recordings that are missing; one that should hold speech must do so."""
    progress = _Progress(name, writer)
    no_speech = unusable = 0
    for recording in source.recordings():
        identifier = f"{name}-{recording.name}".replace("/", "-")
        if is_full():
            break
        if identifier in writer.ids:
            continue
        try:
            waveform = source.load(recording)
        except DataError as error:
            logger.warning("left out %s: %s", identifier, error)
            continue
        progress.tick()
        if recording.kind == "speech" and not holds_speech(waveform.samples, waveform.sample_rate):
            no_speech += 1
            continue
        row = {
            "id": identifier,
            "speaker": recording.speaker,
            "text": recording.text,
            "source": name,
            "licence": recording.licence or source.licence,
            "kind": recording.kind,
        }
        if recording.native_rate_hz is not None:
            row["native_rate_hz"] = recording.native_rate_hz
        unusable += not _add(writer, waveform, row)
    progress.report()
    if no_speech or unusable:
        logger.info(
            "%s: left out %d without speech, %d too short, too long or silent",
            name,
            no_speech,
            unusable,
        )


def _add(writer: CorpusWriter, waveform: Waveform, row: dict[str, Any]) -> bool:
    """Stores a waveform and its line; False where it is unusable."""
    timed = {"symbol_ends_s": waveform.symbol_ends_s} if waveform.symbol_ends_s else {}
    return writer.add(torch.from_numpy(waveform.samples), waveform.sample_rate, row | timed)


def _synthesize(
    source: Synthesizer, planned: Iterator[PlannedUtterance], jobs: int
) -> Iterator[tuple[PlannedUtterance, Waveform]]:
    """Yields audio in the order of the plan; a sentence that fails is logged and left out."""
    pending: deque[tuple[PlannedUtterance, Future[Waveform]]] = deque()
    with ThreadPoolExecutor(jobs) as pool:
        try:
            while True:
                # The plan is asked late, since it depends on the hours that are there; but a long
                # sentence must not keep the other threads waiting.
                while len(pending) < 2 * jobs and (item := next(planned, None)) is not None:
                    pending.append((item, pool.submit(source.synthesize, item.text, item.voice)))
                if not pending:
                    return
                item, future = pending.popleft()
                try:
                    yield item, future.result()
                except DataError as error:
                    logger.warning("left out %s: %s", item.id, error)
        finally:
            pool.shutdown(cancel_futures=True)


class _Progress:
    """Logs now and then how much there is and how fast it grows."""

    def __init__(self, name: str, writer: CorpusWriter) -> None:
        self._name, self._writer = name, writer
        self._start, self._start_hours, self._count = time.monotonic(), writer.hours, 0

    def tick(self) -> None:
        """One more utterance was tried."""
        self._count += 1
        if self._count % _REPORT_EVERY == 0:
            self.report()

    def report(self) -> None:
        """Logs the state."""
        minutes = 60 * (self._writer.hours - self._start_hours)
        seconds = max(time.monotonic() - self._start, 1e-9)
        logger.info(
            "%s: %.1f new minutes, %.1f times real time; %.2f hours in all",
            self._name,
            minutes,
            60 * minutes / seconds,
            self._writer.hours,
        )
