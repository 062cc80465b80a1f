"""POST /v1/audio/speech and /v1/audio/speech/batch: text in, audio out while it is spoken."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, contextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response, StreamingResponse

from latentspeech.core.errors import InputError
from latentspeech.server.engine.speech import Samples
from latentspeech.server.http.clients import client_of
from latentspeech.server.http.errors import ApiError, as_api_error
from latentspeech.server.http.speech_requests import (
    BatchItem,
    BatchRequest,
    SpeechRequest,
    SpeechSettings,
)
from latentspeech.server.server import Server
from latentspeech.server.speech.formats import MEDIA_TYPES, Format, make_encoder
from latentspeech.server.speech.stream import SpeechStream
from latentspeech.tts.prompt import Prompt
from latentspeech.tts.synthesizer import PROVENANCE
from latentspeech.tts.words.word_clock import WordTime


def speech_routes(server: Server) -> APIRouter:
    """Makes the routes of a server."""
    router = APIRouter(tags=["speech"])
    client = Annotated[str, Depends(client_of(server))]

    @router.post("/v1/audio/speech", response_class=Response)
    async def speech(asked: SpeechRequest, request: Request, who: client) -> Response:
        """Speak a text; the audio is sent while it is spoken."""
        if asked.timestamp_granularities:
            server.check_times()
        async with AsyncExitStack() as stack:
            stack.enter_context(server.clients.speech(who))
            voice = await _voice(server, asked)
            stream = stack.enter_context(server.stream(voice, asked.seed, who, asked.delivery))
            stack.enter_context(_counted(server, stream))
            await stack.enter_async_context(_cancelled_without(request, stream))
            await _begin(server, stream, asked.input)
            headers = {"X-Latentspeech-Quality": stream.speech.quality}
            if asked.stream_format == "sse":
                parts, kind = _events(server, stream, asked), "text/event-stream"
            else:
                parts, kind = encoded(server, stream, asked.response_format), None
            kept = stack.pop_all()  # the response closes it, since it outlives this function
            media_type = kind or MEDIA_TYPES[asked.response_format]
            return StreamingResponse(_closing(parts, kept), 200, headers, media_type)

    @router.post("/v1/audio/speech/batch")
    async def batch(asked: BatchRequest, request: Request, who: client) -> dict[str, Any]:
        """Speak several texts; each has a result of its own, audio as base64 or an error."""
        most = server.config.limits.max_batch
        if len(asked.items) > most:
            raise ApiError(400, f"items: {len(asked.items)} texts; expected at most {most}",
                           "invalid_request", "items")  # fmt: skip
        results = await asyncio.gather(
            *(_one_of_batch(server, asked, item, request, who) for item in asked.items)
        )
        rows = [{"index": number, **result} for number, result in enumerate(results)]
        failed = sum("error" in row for row in rows)
        return {"results": rows, "total": len(rows), "succeeded": len(rows) - failed,
                "failed": failed}  # fmt: skip

    return router


async def encoded(
    server: Server, stream: SpeechStream, audio_format: Format
) -> AsyncGenerator[bytes]:
    """Yields the bytes of a speech in a format."""
    async with aclosing(_encoded_words(server, stream, audio_format)) as parts:
        async for data, _ in parts:
            if data:
                yield data


async def _encoded_words(
    server: Server, stream: SpeechStream, audio_format: Format
) -> AsyncGenerator[tuple[bytes, tuple[WordTime, ...]]]:
    """Yields the bytes of a speech, with the words whose times are known since the last ones."""
    with make_encoder(audio_format, server.sample_rate, PROVENANCE) as encoder:
        async for event in stream.events():
            if isinstance(event, Samples):
                yield encoder.write(event.values), event.words
        yield encoder.close(), ()


async def _events(
    server: Server, stream: SpeechStream, asked: SpeechRequest
) -> AsyncGenerator[bytes]:
    """Yields OpenAI's events speech.audio.delta and speech.audio.done, and speech.audio.words."""
    try:
        async with aclosing(_encoded_words(server, stream, asked.response_format)) as parts:
            async for data, words in parts:
                if words and asked.timestamp_granularities:
                    yield _event({"type": "speech.audio.words", "words": _rows(words)})
                if data:
                    audio = base64.b64encode(data).decode("ascii")
                    yield _event({"type": "speech.audio.delta", "audio": audio})
    except Exception as error:
        yield _event({"type": "speech.audio.error", **as_api_error(error).body})
        return
    frames = round(stream.speech.audio_s * server.engine.model.codec.config.frame_rate)
    usage = {"input_tokens": stream.num_tokens, "output_tokens": frames,
             "total_tokens": stream.num_tokens + frames}  # fmt: skip
    yield _event({"type": "speech.audio.done", "usage": usage})


def _rows(words: tuple[WordTime, ...]) -> list[dict[str, Any]]:
    return [{"word": one.text, "start": one.start_s, "end": one.end_s} for one in words]


def _event(value: dict[str, Any]) -> bytes:
    return f"data: {json.dumps(value)}\n\n".encode()


async def _voice(server: Server, asked: SpeechSettings) -> Prompt:
    """The voice that a request names, or that of its recording."""
    recording = asked.recording()
    if recording is None:
        if asked.ref_text is not None:
            raise InputError("ref_text needs ref_audio, the recording that says it; give both")
        return server.voice(asked.voice_name)
    if asked.voice is not None:
        raise InputError("voice and ref_audio both give a voice; expected one of them")
    return (await server.uploads.voice(recording, asked.ref_text)).prompt


async def _begin(server: Server, stream: SpeechStream, text: str) -> None:
    """Starts a speech and waits for its first audio, so that errors still have a status."""
    server.check_length(text)
    stream.start()
    await stream.add(text, is_last=True)
    await stream.first()


async def _one_of_batch(
    server: Server, asked: BatchRequest, item: BatchItem, request: Request, who: str
) -> dict[str, Any]:
    changes = {"voice": item.voice, "seed": item.seed}
    given = {name: value for name, value in changes.items() if value is not None}
    own = asked.model_copy(update=given)
    try:
        voice = await _voice(server, own)
        with (
            server.clients.speech(who),
            server.stream(voice, own.seed, who, own.delivery) as stream,
            _counted(server, stream),
        ):
            async with _cancelled_without(request, stream):
                await _begin(server, stream, item.input)
                parts = [data async for data in encoded(server, stream, own.response_format)]
    except Exception as error:
        if as_api_error(error).status == 500:
            raise
        return {"status": "error", **as_api_error(error).body}
    audio = base64.b64encode(b"".join(parts)).decode("ascii")
    return {"status": "success", "audio_data": audio,
            "media_type": MEDIA_TYPES[own.response_format]}  # fmt: skip


@asynccontextmanager
async def _cancelled_without(request: Request, stream: SpeechStream) -> AsyncIterator[None]:
    """Cancels the speech as soon as its client has gone."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        stream.cancel()

    watching = asyncio.create_task(watch())
    try:
        yield
    finally:
        watching.cancel()


@contextmanager
def _counted(server: Server, stream: SpeechStream) -> Iterator[None]:
    """Counts how a speech ends."""
    outcome = "failed"
    try:
        yield
        outcome = "cancelled" if stream.speech.cancelled.is_set() else "done"
    except (asyncio.CancelledError, GeneratorExit):
        outcome = "cancelled"
        raise
    finally:
        server.metrics.requests.labels(outcome).inc()


async def _closing(parts: AsyncGenerator[bytes], kept: AsyncExitStack) -> AsyncIterator[bytes]:
    """Yields the parts, and leaves what was entered for them at their end, however it comes."""
    async with kept, aclosing(parts):
        async for data in parts:
            yield data
