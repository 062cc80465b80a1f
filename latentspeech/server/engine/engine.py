"""The engine: one thread that owns the model and writes the sentences of all speeches at once.

    engine = Engine(model, EngineConfig(), Metrics())
    engine.submit(speech)                             # BusyError if too many wait
    engine.extend(speech, sentences, is_last=True)    # its listener hears the samples
    engine.cancel(speech)                             # its row is free before the next step
    engine.close()

A sentence is a row of a session (row_writer.py). Rows join before any step and leave as soon as
they are done or cancelled. The sentences of a text are rows one after another, and each waits again
(fair_queue.py), so a long text holds nobody up. Another thread decodes (decoder.py).

A speech has the samples of `Synthesizer.stream` for its seed up to rounding, and bit for bit where
its rows ran in steps of the same shapes: the shapes of matrix products depend on the number of rows
(core/lm/sampling/session.py). With weights of one byte, rounding decides between neighbouring
levels; then the speech is another reading of the same sentence, as good as the first.
"""

import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Sequence

from pydantic import Field

from latentspeech.core.config import Config
from latentspeech.core.lm.sampling.prefix_store import PrefixStore
from latentspeech.server.engine.decoder import Decoder
from latentspeech.server.engine.fair_queue import FairQueue
from latentspeech.server.engine.quality import choose, qualities
from latentspeech.server.engine.row_writer import RowWriter
from latentspeech.server.engine.speech import Failed, ReadSentence, Speech
from latentspeech.server.metrics import Metrics
from latentspeech.tts.model_directory import TTSModel

# Reading a prompt takes as long as some steps, and the other rows wait for it.
_MOST_NEW_ROWS = 2
_LONGEST_RETRY_S = 60

logger = logging.getLogger(__name__)


class EngineConfig(Config):
    """How much the engine takes on at a time."""

    max_rows: int = Field(32, ge=1, description="sentences that are written at once")
    max_waiting: int = Field(256, ge=1, description="speeches that wait for their first row")
    max_voices: int = Field(32, ge=1, description="voices whose state of the model is kept")
    elastic: bool = Field(False, description="whether speech gets cheaper under load (quality.py)")


class BusyError(Exception):
    """Too many speeches wait; another attempt after `retry_after_s` may succeed."""

    def __init__(self, waiting: int, retry_after_s: int) -> None:
        super().__init__(
            f"{waiting} requests wait already, which is the limit; try again in {retry_after_s} s"
        )
        self.retry_after_s = retry_after_s


class Engine:
    """The thread, its rows and the speeches that wait for one."""

    def __init__(self, model: TTSModel, config: EngineConfig, metrics: Metrics) -> None:
        self.model, self.config, self.metrics = model, config, metrics
        self._qualities = qualities(model.sampling, config.elastic)
        # Each voice has a prefix; the prompt without the condition is one more.
        self._prefixes = PrefixStore(model.runtime, config.max_voices + 1)
        self._writers = [self._make_writer(i) for i in range(len(self._qualities))]
        self._decoder = Decoder(model, metrics)
        self._changed = threading.Condition()
        self._waiting = FairQueue()
        self._open: set[Speech] = set()  # neither written to the end nor cancelled
        self._writing: set[Speech] = set()  # have a row
        self._cancelled: list[Speech] = []
        self._speech_s = 1.0  # about what a speech takes from its first row to its last
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="speech-engine", daemon=True)
        self._thread.start()

    @property
    def num_rows(self) -> int:
        """The number of sentences that are being written."""
        return len(self._writing)

    @property
    def num_speeches(self) -> int:
        """The number of speeches that are neither heard to their end nor cancelled."""
        with self._changed:
            return len(self._open | self._decoder.speeches)

    @property
    def is_alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive() and not self._closing

    def submit(self, speech: Speech) -> None:
        """Takes a speech on, whose sentences follow; BusyError if too many wait already."""
        with self._changed:
            waiting = sum(not one.num_started for one in self._open)
            if waiting >= self.config.max_waiting or self._closing:
                self.metrics.refused.inc()
                raise BusyError(waiting, self._retry_after_s(waiting))
            self._open.add(speech)

    def extend(self, speech: Speech, sentences: Sequence[ReadSentence], is_last: bool) -> None:
        """Adds sentences at the end of a speech; nothing happens if it was cancelled."""
        with self._changed:
            if speech not in self._open:
                return
            speech.sentences.extend(sentences)
            speech.is_complete |= is_last
            self._go_on(speech)
            self._changed.notify()

    def cancel(self, speech: Speech) -> None:
        """Ends a speech: its listener hears nothing more, and its row is free before a step."""
        with self._changed:
            if speech.cancelled.is_set():
                return
            speech.cancelled.set()
            self._waiting.remove(speech)
            self._decoder.forget(speech)
            if speech in self._open:
                self._open.remove(speech)
                self._cancelled.append(speech)
                self.metrics.cancelled.inc()
            self._changed.notify()

    def close(self) -> None:
        """Ends all speeches and both threads."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()
        self._decoder.close()
        for speech in self._open:
            speech.tell(Failed("the server stops"))

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                if self._closing:
                    return
                cancelled, self._cancelled = self._cancelled, []
            for speech in cancelled:
                for writer in self._writers:
                    writer.drop(speech)
                self._writing.discard(speech)
                self._decoder.forget(speech)  # a step may have given it a latent meanwhile
            self._start_rows()
            for number, writer in enumerate(self._writers):
                if writer.speeches:
                    self._step(number)

    def _has_work(self) -> bool:
        return bool(self._closing or self._cancelled or self._waiting or self.num_rows)

    def _start_rows(self) -> None:
        """Gives free rows to waiting speeches."""
        with self._changed:
            rows_of = Counter(speech.client for speech in self._writing)
            free = min(self.config.max_rows - self.num_rows, _MOST_NEW_ROWS)
            load = (self.num_rows + len(self._waiting)) / self.config.max_rows
            chosen = self._waiting.take(free, rows_of)
            self.metrics.waiting.set(len(self._waiting))
            self._writing.update(chosen)
            sentences = [(speech, speech.sentences.popleft()) for speech in chosen]
        for speech, sentence in sentences:
            if not speech.quality:
                speech.quality = self._qualities[choose(self._qualities, load)].name
            number, speech.num_started = speech.num_started, speech.num_started + 1
            self._decoder.begin_sentence(speech, sentence)
            try:
                self._writer_of(speech).add(speech, sentence, number)
            except Exception as error:
                self._fail([speech], error)

    def _step(self, quality: int) -> None:
        """Writes an element of each row of a quality."""
        writer, start = self._writers[quality], time.perf_counter()
        self.metrics.rows.set(self.num_rows)
        try:
            written = writer.step()
        except Exception as error:
            self._fail(writer.speeches, error)
            self._writers[quality] = self._make_writer(quality)
            return
        self.metrics.step_s.observe(time.perf_counter() - start)
        for speech, latent, sentence, truncated in written:
            if speech.cancelled.is_set():
                continue
            if latent is None:
                self._decoder.put_symbol(speech)
            else:
                self._decoder.put(speech, latent)
            if truncated:
                self.metrics.truncated.inc()
            if sentence is not None:
                speech.before = sentence
                self._decoder.end_sentence(speech)
                with self._changed:
                    self._writing.remove(speech)
                    self._go_on(speech)
        self.metrics.rows.set(self.num_rows)

    def _go_on(self, speech: Speech) -> None:
        """Lets a speech wait for its next row, or ends it; nothing while it has a row."""
        if speech in self._writing or speech not in self._open:
            return
        if speech.sentences:
            self._waiting.add(speech)
        elif speech.is_complete:
            self._open.remove(speech)
            seconds = time.monotonic() - speech.arrived_s
            self._speech_s += 0.1 * (seconds - self._speech_s)
            self._decoder.end(speech)

    def _fail(self, speeches: Sequence[Speech], error: Exception) -> None:
        """Ends speeches that cannot be written."""
        is_ours = not isinstance(error, ValueError)  # ValueError is for what a user can cause
        if is_ours:
            logger.error("a row failed", exc_info=error)
        message = "the speech could not be written" if is_ours else str(error)
        for speech in speeches:
            with self._changed:
                self._open.discard(speech)
                self._writing.discard(speech)
                self._waiting.remove(speech)
            self._decoder.forget(speech)
            speech.tell(Failed(message))

    def _writer_of(self, speech: Speech) -> RowWriter:
        names = [quality.name for quality in self._qualities]
        return self._writers[names.index(speech.quality)]

    def _make_writer(self, quality: int) -> RowWriter:
        sampling = self._qualities[quality].sampling
        return RowWriter(self.model, sampling, self.config.max_rows, self._prefixes)

    def _retry_after_s(self, waiting: int) -> int:
        seconds = self._speech_s * (waiting + 1) / self.config.max_rows
        return min(max(1, math.ceil(seconds)), _LONGEST_RETRY_S)
