"""The voice that ships, many at once: each speech is that of its single run."""

import asyncio

import numpy as np
import pytest

from latentspeech.server.config import ServerConfig
from latentspeech.server.engine.speech import Samples
from latentspeech.server.server import Server
from latentspeech.tts.models import load
from latentspeech.tts.voices import builtin_voices

pytestmark = pytest.mark.slow

TEXTS = ("The library opens at nine.", "It rained all night. The bridge was gone.")


def test_each_equals_its_single_run(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Server(ServerConfig(voices_dir=tmp_path_factory.mktemp("voices"), model="tts"))
    cases = [(TEXTS[seed % 2], name, seed) for seed, name in enumerate(builtin_voices())]

    async def speak(text: str, name: str, seed: int) -> np.ndarray:
        with server.stream(server.voice(name), seed, "client") as stream:
            stream.start()
            await stream.add(text, is_last=True)
            events = [event async for event in stream.events()]
        return np.concatenate([one.values for one in events if isinstance(one, Samples)])

    async def all_at_once() -> list[np.ndarray]:
        return await asyncio.gather(*(speak(*case) for case in cases))

    found = asyncio.run(all_at_once())
    server.close()
    speaker = load("tts", runtime="onnx")
    for (text, name, seed), samples in zip(cases, found, strict=True):
        alone = np.concatenate(list(speaker.stream(text, name, seed)))
        assert len(samples) == len(alone)
        error = np.sqrt(np.mean((samples - alone) ** 2) / np.mean(alone**2))
        assert error < 0.01, (name, seed)  # 40 dB below the speech
