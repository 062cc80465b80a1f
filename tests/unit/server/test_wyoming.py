"""Home Assistant's protocol, with the client of the `wyoming` package."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.error import Error
from wyoming.event import Event
from wyoming.info import Describe, Info
from wyoming.tts import (
    Synthesize,
    SynthesizeChunk,
    SynthesizeStart,
    SynthesizeStop,
    SynthesizeStopped,
    SynthesizeVoice,
)

from tests.running_server import VOICE, Running, running_server

TEXT = "The tide comes in at six. Boats leave!"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running_server(tmp_path_factory.mktemp("server"), wyoming_port=0) as found:
        yield found


def converse(running: Running, last: type, *events: Event) -> list[Event]:
    """Sends events; returns the answers up to the one of a type."""

    async def talk() -> list[Event]:
        assert running.wyoming_port is not None
        async with AsyncTcpClient("127.0.0.1", running.wyoming_port, read_timeout=60) as client:
            for event in events:
                await client.write_event(event)
            answers: list[Event] = []
            while not answers or not last.is_type(answers[-1].type):  # type: ignore[attr-defined]
                answer = await client.read_event()
                assert answer is not None
                answers.append(answer)
            return answers

    return asyncio.run(talk())


def samples_of(answers: list[Event]) -> np.ndarray:
    chunks = [one for one in answers if AudioChunk.is_type(one.type)]
    pcm = b"".join(AudioChunk.from_event(one).audio for one in chunks)
    return np.frombuffer(pcm, "<i2") / np.float32(32768)


def alone(running: Running) -> np.ndarray:
    return np.concatenate(list(running.speaker.stream(TEXT, running.voice)))


def test_it_describes_its_voices(running: Running) -> None:
    info = Info.from_event(converse(running, Info, Describe().event())[-1])
    (program,) = info.tts
    assert program.supports_synthesize_streaming
    assert VOICE in [voice.name for voice in program.voices]


def test_a_whole_text_is_spoken(running: Running) -> None:
    asked = Synthesize(TEXT, SynthesizeVoice(VOICE))
    answers = converse(running, AudioStop, asked.event())
    start = AudioStart.from_event(answers[0])
    assert (start.rate, start.width, start.channels) == (running.speaker.sample_rate, 2, 1)
    np.testing.assert_allclose(samples_of(answers), alone(running), atol=1e-3)


def test_a_text_is_spoken_while_it_is_written(running: Running) -> None:
    pieces = [SynthesizeChunk(TEXT[start : start + 5]) for start in range(0, len(TEXT), 5)]
    events = [SynthesizeStart(SynthesizeVoice(VOICE)), *pieces, Synthesize(TEXT), SynthesizeStop()]
    answers = converse(running, SynthesizeStopped, *(one.event() for one in events))
    np.testing.assert_allclose(samples_of(answers), alone(running), atol=1e-3)
    assert AudioStop.is_type(answers[-2].type)


def test_what_cannot_be_spoken_is_said(running: Running) -> None:
    unknown = Synthesize(TEXT, SynthesizeVoice("nobody"))
    (answer,) = converse(running, Error, unknown.event())
    assert Error.from_event(answer).code == "voice_not_found"
