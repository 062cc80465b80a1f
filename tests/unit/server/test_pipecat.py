"""Pipecat, a framework of voice agents, speaks by its own service for OpenAI and this server."""

import asyncio
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from tests.running_server import VOICE, Running, running_server

tts = pytest.importorskip("pipecat.services.openai.tts", reason="run: pip install pipecat-ai")
frames = pytest.importorskip("pipecat.frames.frames", reason="run: pip install pipecat-ai")
pipecat_tests = pytest.importorskip("pipecat.tests.utils", reason="run: pip install pipecat-ai")

TEXTS = ("The tide comes in at six.", "Boats leave!")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    # Pipecat allows only the names of OpenAI's voices.
    with running_server(tmp_path_factory.mktemp("server"), aliases={"alloy": VOICE}) as found:
        yield found


def said(running: Running, voice: str) -> list[Any]:
    """All frames that come out of a pipeline that is told to say the texts."""
    service = tts.OpenAITTSService(
        api_key="none",
        base_url=f"{running.url}/v1",
        settings=tts.OpenAITTSService.Settings(voice=voice),
    )
    asked = [frames.TTSSpeakFrame(text) for text in TEXTS]
    pipeline = pipecat_tests.run_test(service, frames_to_send=asked, start_timeout=30)
    down, up = asyncio.run(pipeline)
    return [*down, *up]


def test_a_pipeline_speaks(running: Running) -> None:
    pcm = [one for one in said(running, "alloy") if isinstance(one, frames.TTSAudioRawFrame)]
    assert {(one.sample_rate, one.num_channels) for one in pcm} == {(24_000, 1)}
    samples = np.frombuffer(b"".join(one.audio for one in pcm), "<i2") / np.float32(32768)
    alone = [chunk for text in TEXTS for chunk in running.speaker.stream(text, running.voice)]
    np.testing.assert_allclose(samples, np.concatenate(alone), atol=1e-3)


def test_a_voice_that_is_not_there_is_an_error_of_the_pipeline(running: Running) -> None:
    errors = [one.error for one in said(running, "echo") if isinstance(one, frames.ErrorFrame)]
    assert sum("there is no voice 'echo'" in one for one in errors) == len(TEXTS)
