"""WS /v1/audio/speech/stream: text goes in while it is written, audio comes out while it is spoken.

The client sends JSON. Everything but `type` may be left out, unless it is marked with *:

    session.config  voice, response_format (pcm), seed,     settings of the texts that follow
                    speed, add_timestamps (false)
    input.text      text*, context_id                       text goes on, in any pieces
    input.flush     context_id                              what came so far is a whole text
    input.done      context_id                              no more text comes
    input.cancel    context_id                              stop; nothing more is sent

The server answers with JSON and with audio. Without `context_id` there is one speech, whose audio
comes in binary messages. With `context_id` many speeches share the connection, and audio comes as
base64 in `audio.delta`. After an input.done without `context_id` the server ends the session as
soon as all speeches have ended.

    audio.start    context_id, sentence_index, format, sample_rate
    audio.delta    context_id, audio
    audio.done     context_id, sentence_index
    word_timestamps  context_id, words, start, end   with add_timestamps: lists as long as each
                                                     other, in s from the start of the speech
    context.done   context_id, cancelled
    session.done
    error          context_id, error
"""

import asyncio
import base64
import json
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from typing import Annotated, Any, Literal

from fastapi import APIRouter, WebSocket, WebSocketDisconnect
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from latentspeech.core.errors import InputError
from latentspeech.server.engine.speech import Samples
from latentspeech.server.http.clients import client_of
from latentspeech.server.http.errors import ApiError, as_api_error
from latentspeech.server.http.speech_requests import Speed, VoiceId
from latentspeech.server.server import Server
from latentspeech.server.speech.formats import Encoder, Format, make_encoder
from latentspeech.server.speech.stream import SpeechStream
from latentspeech.server.speech.written_text import WrittenText
from latentspeech.text.reading import Delivery
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.synthesizer import PROVENANCE
from latentspeech.tts.words.word_clock import WordTime

_REFUSED = 1008  # the close code of WebSocket for a policy


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid")

    context_id: str | None = Field(None, max_length=128)


class _Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    type: Literal["session.config"]
    voice: str | VoiceId | None = None
    response_format: Format = "pcm"
    seed: int = Field(0, ge=0, le=2**31 - 1)
    speed: Speed = 1.0
    add_timestamps: bool = False


class _Text(_Message):
    type: Literal["input.text"]
    text: str


class _Control(_Message):
    type: Literal["input.flush", "input.done", "input.cancel"]


_ANY = TypeAdapter[_Config | _Text | _Control](
    Annotated[_Config | _Text | _Control, Field(discriminator="type")]
)


def websocket_routes(server: Server) -> APIRouter:
    """Makes the route of a server."""
    router = APIRouter()
    check = client_of(server)

    @router.websocket("/v1/audio/speech/stream")
    async def converse(socket: WebSocket) -> None:
        await socket.accept()
        try:
            who = check(socket)
        except Exception as error:
            await socket.send_json({"type": "error", **as_api_error(error).body})
            await socket.close(_REFUSED)
            return
        conversation = _Conversation(server, socket, who)
        try:
            await conversation.run()
        except WebSocketDisconnect:
            pass
        finally:
            conversation.close()

    return router


class _Context:
    """One speech of a conversation: its text, its stream and the task that sends its audio."""

    def __init__(self, stream: SpeechStream, audio_format: Format, add_timestamps: bool) -> None:
        self.stream, self.format, self.add_timestamps = stream, audio_format, add_timestamps
        self.text = WrittenText()
        self.num_characters = 0
        self.is_done = False
        self.kept = ExitStack()
        self.sending: asyncio.Task[None] | None = None


class _Conversation:
    """All speeches of a connection."""

    def __init__(self, server: Server, socket: WebSocket, who: str) -> None:
        self._server, self._socket, self._who = server, socket, who
        self._settings = _Config(type="session.config")
        self._contexts: dict[str | None, _Context] = {}
        self._writing = asyncio.Lock()
        self._is_complete = self._ended = False  # no text comes any more; the session is over

    async def run(self) -> None:
        """Handles messages until the connection ends, with WebSocketDisconnect."""
        while True:
            given = await self._receive()
            if self._ended:
                continue  # what was on its way
            try:
                message = _ANY.validate_json(given)
            except ValidationError as error:
                await self._send_error(None, _explain(error))
                continue
            if isinstance(message, _Config):
                await self._configure(message)
                continue
            try:
                await self._handle(message)
            except Exception as error:
                self._drop(message.context_id)
                await self._send_error(message.context_id, as_api_error(error))

    def close(self) -> None:
        """Cancels the speeches that are still being made."""
        for context_id in list(self._contexts):
            self._drop(context_id)

    async def _receive(self) -> bytes:
        """The next message, text or not; WebSocketDisconnect if the client has gone."""
        received = await self._socket.receive()
        if received["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(received.get("code", 1000))
        given: bytes = received.get("bytes") or (received.get("text") or "").encode()
        return given

    async def _configure(self, asked: _Config) -> None:
        """Takes the settings of the texts that follow; those that cannot be honoured are said."""
        self._settings = asked
        try:
            self._voice(asked)
        except Exception as error:
            await self._send_error(None, as_api_error(error))

    def _voice(self, asked: _Config) -> Prompt:
        """The voice of settings, if this server can honour them."""
        if asked.add_timestamps:
            self._server.check_times()
        name = asked.voice.id if isinstance(asked.voice, VoiceId) else asked.voice
        return self._server.voice(name)

    async def _handle(self, message: _Text | _Control) -> None:
        context = self._contexts.get(message.context_id)
        if message.type == "input.done" and message.context_id is None:
            self._is_complete = True
            for one in list(self._contexts.values()):
                await self._finish(one)
            await self._end_if_complete()
            return
        match message:
            case _Text():
                self._is_complete = False
                context = context or await self._open(message.context_id)
                context.num_characters += len(message.text)
                self._check(context)
                await self._speak(context, context.text.add(message.text))
            case _Control(type="input.cancel") if context is not None:
                self._drop(message.context_id)
                await self._send_done(message.context_id, cancelled=True)
            case _Control(type="input.flush") if context is not None:
                await self._speak(context, context.text.flush())
            case _Control(type="input.done") if context is not None:
                await self._finish(context)

    async def _open(self, context_id: str | None) -> _Context:
        """Starts a speech."""
        if len(self._contexts) >= (most := self._server.config.limits.max_contexts):
            raise InputError(f"{most} contexts are open, which is the limit; end some first")
        asked = self._settings
        delivery = Delivery(speed=asked.speed)
        stream = self._server.stream(self._voice(asked), asked.seed, self._who, delivery)
        context = _Context(stream, asked.response_format, asked.add_timestamps)
        with ExitStack() as stack:
            stack.enter_context(self._server.clients.speech(self._who))
            stack.enter_context(stream)
            stream.start()
            context.kept = stack.pop_all()
        self._contexts[context_id] = context
        context.sending = asyncio.create_task(self._send_audio(context_id, context))
        return context

    def _check(self, context: _Context) -> None:
        if context.is_done:
            raise InputError("text came after input.done; open another context_id for it")
        most = self._server.config.limits.max_characters
        if context.num_characters > most:
            raise InputError(
                f"the text has {context.num_characters} characters; expected at most {most}: open "
                "another context_id for the rest"
            )

    async def _finish(self, context: _Context) -> None:
        """Speaks what waits of a speech, to which no text comes any more."""
        await self._speak(context, context.text.flush())
        context.is_done = True
        context.stream.finish()

    async def _speak(self, context: _Context, texts: list[str]) -> None:
        for text in texts:
            await context.stream.add(text)

    def _drop(self, context_id: str | None) -> None:
        context = self._contexts.pop(context_id, None)
        if context is not None:
            context.kept.close()
            if context.sending is not None:
                context.sending.cancel()

    async def _send_audio(self, context_id: str | None, context: _Context) -> None:
        """Sends the audio of a speech until it ends."""
        try:
            with make_encoder(context.format, self._server.sample_rate, PROVENANCE) as encoder:
                await self._send_encoded(context_id, context, encoder)
            await self._send_done(context_id, cancelled=False)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the client has gone, which `run` sees as well
        except Exception as error:
            await self._send_error(context_id, as_api_error(error))
        finally:
            context.kept.close()
            if self._contexts.get(context_id) is context:  # it may have been opened anew
                del self._contexts[context_id]
        with suppress(WebSocketDisconnect, RuntimeError):
            await self._end_if_complete()

    async def _send_encoded(
        self, context_id: str | None, context: _Context, encoder: Encoder
    ) -> None:
        sentence = -1
        async for event in context.stream.events():
            if event.sentence != sentence:
                sentence = event.sentence
                await self._send_start(context_id, context.format, sentence)
            if isinstance(event, Samples):
                if event.words and context.add_timestamps:
                    await self._send_words(context_id, event.words)
                await self._send_bytes(context_id, encoder.write(event.values))
            else:
                await self._send_about(context_id, "audio.done", sentence_index=sentence)
        await self._send_bytes(context_id, encoder.close())

    async def _end_if_complete(self) -> None:
        """Ends the session once no text comes and all speeches have ended."""
        if not self._is_complete or self._contexts or self._ended:
            return
        await self._send({"type": "session.done"})
        self._ended = True
        await self._socket.close()

    async def _send_start(
        self, context_id: str | None, audio_format: Format, sentence: int
    ) -> None:
        rate = self._server.sample_rate
        await self._send_about(
            context_id, "audio.start", sentence_index=sentence, format=audio_format,
            sample_rate=rate,
        )  # fmt: skip

    async def _send_words(self, context_id: str | None, words: Sequence[WordTime]) -> None:
        await self._send_about(
            context_id, "word_timestamps", words=[one.text for one in words],
            start=[one.start_s for one in words], end=[one.end_s for one in words],
        )  # fmt: skip

    async def _send_bytes(self, context_id: str | None, data: bytes) -> None:
        if not data:
            return
        if context_id is not None:
            audio = base64.b64encode(data).decode("ascii")
            await self._send_about(context_id, "audio.delta", audio=audio)
            return
        async with self._writing:
            await self._socket.send_bytes(data)

    async def _send_done(self, context_id: str | None, cancelled: bool) -> None:
        await self._send_about(context_id, "context.done", cancelled=cancelled)

    async def _send_error(self, context_id: str | None, error: ApiError) -> None:
        await self._send_about(context_id, "error", **error.body)

    async def _send_about(self, context_id: str | None, kind: str, **values: Any) -> None:
        about = {} if context_id is None else {"context_id": context_id}
        await self._send({"type": kind, **about, **values})

    async def _send(self, value: dict[str, Any]) -> None:
        async with self._writing:
            await self._socket.send_text(json.dumps(value))


def _explain(error: ValidationError) -> ApiError:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return ApiError(400, f"{place or 'message'}: {first['msg']}", "invalid_request", place or None)
