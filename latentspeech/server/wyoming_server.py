"""Wyoming, the protocol of Home Assistant: speech for whole texts and for texts while written.

It has no keys, so it belongs in a network whose members are trusted.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Attribution, Describe, Info, TtsProgram, TtsVoice
from wyoming.server import AsyncEventHandler
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from latentspeech.audio.pcm import encode_pcm
from latentspeech.core.version import VERSION
from latentspeech.server.engine.speech import Samples
from latentspeech.server.http.errors import as_api_error
from latentspeech.server.server import Server
from latentspeech.server.speech.stream import SpeechStream
from latentspeech.server.speech.written_text import WrittenText

_WIDTH, _CHANNELS = 2, 1  # bytes of a sample
_ABOUT = Attribution("latentspeech", "https://arxiv.org/abs/2412.08635")

logger = logging.getLogger(__name__)


@asynccontextmanager
async def wyoming_server(server: Server, host: str, port: int) -> AsyncIterator[int]:
    """Serves while the block runs; yields the port."""
    handlers: set[_Handler] = set()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handler = _Handler(server, reader, writer)
        handlers.add(handler)
        try:
            with suppress(ConnectionError, asyncio.CancelledError):
                await handler.run()
        except Exception as error:  # what is no Wyoming, ends the connection and nothing else
            logger.warning("a Wyoming connection ends: %s", type(error).__name__)
        finally:
            handlers.discard(handler)

    listening = await asyncio.start_server(connect, host, port)
    try:
        found = listening.sockets[0].getsockname()[1]
        logger.info("Wyoming at tcp://%s:%d", host, found)
        yield found
    finally:
        listening.close()
        for handler in list(handlers):
            await handler.stop()


class _Handler(AsyncEventHandler):
    """One connection; it speaks one text at a time."""

    def __init__(
        self, server: Server, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        super().__init__(reader, writer)
        peer = writer.get_extra_info("peername")
        self._server, self._who = server, str(peer[0]) if peer else "wyoming"
        self._stream: SpeechStream | None = None
        self._text = WrittenText()
        self._sending: asyncio.Task[None] | None = None

    async def handle_event(self, event: Event) -> bool:
        """Handles one event; every failure of a text is an event of its own."""
        try:
            await self._handle(event)
        except Exception as error:
            self._drop()
            known = as_api_error(error)
            await self.write_event(Error(str(known), known.code).event())
        return True

    async def disconnect(self) -> None:
        """Cancels the speeches that are still being made."""
        self._drop()

    async def _handle(self, event: Event) -> None:
        if Describe.is_type(event.type):
            await self.write_event(_info(self._server).event())
        elif SynthesizeStart.is_type(event.type):
            self._start(SynthesizeStart.from_event(event).voice)
        elif SynthesizeChunk.is_type(event.type) and self._stream is not None:
            for text in self._text.add(SynthesizeChunk.from_event(event).text):
                await self._stream.add(text)
        elif SynthesizeStop.is_type(event.type) and self._stream is not None:
            for text in self._text.flush():
                await self._stream.add(text)
            await self._finish()
            await self.write_event(SynthesizeStopped().event())
        # A client that streams sends the whole text as well, for servers that cannot stream.
        elif Synthesize.is_type(event.type) and self._stream is None:
            asked = Synthesize.from_event(event)
            self._server.check_length(asked.text)
            await self._start(asked.voice).add(asked.text)
            await self._finish()

    def _start(self, voice: SynthesizeVoice | None) -> SpeechStream:
        """Starts a speech, whose audio is sent as it comes."""
        self._drop()
        prompt = self._server.voice(voice.name if voice else None)
        stream = self._server.stream(prompt, 0, self._who)
        stream.start()
        self._stream, self._text = stream, WrittenText()
        self._sending = asyncio.create_task(self._send_audio(stream))
        return stream

    async def _finish(self) -> None:
        """Waits until all audio is sent."""
        assert self._stream is not None
        assert self._sending is not None
        self._stream.finish()
        await self._sending
        self._drop()

    async def _send_audio(self, stream: SpeechStream) -> None:
        rate = self._server.sample_rate
        await self.write_event(AudioStart(rate, _WIDTH, _CHANNELS).event())
        async for event in stream.events():
            if isinstance(event, Samples):
                pcm = encode_pcm(event.values, "s16le")
                await self.write_event(AudioChunk(rate, _WIDTH, _CHANNELS, pcm).event())
        await self.write_event(AudioStop().event())

    def _drop(self) -> None:
        if self._stream is not None:
            self._stream.cancel()
        if self._sending is not None:
            self._sending.cancel()
        self._stream = self._sending = None


def _info(server: Server) -> Info:
    """What the server can do."""
    names = [*server.voices.builtin, *(voice.name for voice in server.voices.stored())]
    voices = [
        TtsVoice(name, _ABOUT, installed=True, description=name, version=VERSION, languages=["en"])
        for name in names
    ]
    program = TtsProgram(
        "latentspeech",
        _ABOUT,
        installed=True,
        description="LatentLM text to speech",
        version=VERSION,
        voices=voices,
        supports_synthesize_streaming=True,
    )
    return Info(tts=[program])
