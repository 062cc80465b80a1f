"""A speech as asyncio sees it: text goes in, samples come out, and it can be cancelled."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

from latentspeech.core.errors import InputError
from latentspeech.server.engine.engine import Engine
from latentspeech.server.engine.reading import read_text
from latentspeech.server.engine.speech import (
    Event,
    Failed,
    Finished,
    ReadSentence,
    Samples,
    SentenceEnded,
    Speech,
)
from latentspeech.text.reading import PLAIN, Delivery
from latentspeech.tts.prompt import Prompt

_MOST_PAUSES_S = 900


class SpeechFailedError(Exception):
    """The engine could not go on with a speech."""


class SpeechStream:
    """One speech of the engine. At the end of its block it is cancelled if it is not finished.

    Args:
        engine: writes it.
        readers: the threads that normalise texts.
        voice: the voice of all sentences.
        seed: the seed of all noise.
        client: who asks for it.
        delivery: speed, pauses and the pronunciations of words.
    """

    def __init__(
        self,
        engine: Engine,
        readers: ThreadPoolExecutor,
        voice: Prompt,
        seed: int,
        client: str,
        delivery: Delivery = PLAIN,
    ) -> None:
        self._engine, self._readers = engine, readers
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._ahead: list[Samples | SentenceEnded] = []
        self._delivery = delivery
        self._last: ReadSentence | None = None  # of the text so far
        self._pauses_s = 0.0  # of the text so far
        self.num_tokens = 0
        self.speech = Speech(voice, seed, client, self._listen)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()

    def start(self) -> None:
        """Asks the engine to take the speech on; BusyError if too many wait already."""
        self._engine.submit(self.speech)

    async def add(self, text: str, is_last: bool = False) -> None:
        """Adds written text or SSML, which is spoken as sentences of its own.

        Raises:
            InputError: there is nothing to speak in it, SSML is wrong, or pauses are too long.
            ConfigError: the pace is out of range, or the model cannot do what SSML asks.
        """
        read = await self._loop.run_in_executor(
            self._readers, read_text, self._engine.model, text, self._delivery, self._last
        )
        self._last = read[-1]
        self._pauses_s += sum(one.pause_s + one.pause_after_s for one in read)
        if self._pauses_s > _MOST_PAUSES_S:  # they wait in memory as samples
            raise InputError(
                f"the pauses of the text are {self._pauses_s:.0f} s long in all; expected at most "
                f"{_MOST_PAUSES_S}: make the breaks shorter, or send the text in parts"
            )
        self.num_tokens += sum(len(sentence.token_ids) for sentence in read)
        self._engine.extend(self.speech, read, is_last)

    def finish(self) -> None:
        """Says that no text follows."""
        self._engine.extend(self.speech, [], is_last=True)

    async def first(self) -> None:
        """Waits for the first samples, which stay the first that the stream gives.

        Raises:
            SpeechFailedError: there will be none.
        """
        async for event in self.events():
            self._ahead.append(event)
            if isinstance(event, Samples) and len(event.values):
                return

    async def events(self) -> AsyncIterator[Samples | SentenceEnded]:
        """Yields samples and ends of sentences until the speech is finished.

        Raises:
            SpeechFailedError: it ends early.
        """
        while self._ahead:
            yield self._ahead.pop(0)
        while True:
            match await self._events.get():
                case Finished():
                    return
                case Failed(message):
                    raise SpeechFailedError(message)
                case event:
                    yield event

    def cancel(self) -> None:
        """Ends it; whoever waits for its events gets no more."""
        if not self.speech.cancelled.is_set():
            self._engine.cancel(self.speech)
            self._events.put_nowait(Finished())

    def _listen(self, event: Event) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed, so nobody listens
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)
