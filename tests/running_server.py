"""A server for tests: in a thread of this process, on a free port, with a tiny model."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from latentspeech.server.config import ServerConfig
from latentspeech.server.run import listen, web_server
from latentspeech.server.server import Server
from latentspeech.tts.models import load
from latentspeech.tts.prompt import Prompt, save_voice
from latentspeech.tts.synthesizer import Synthesizer
from tests.tiny_models import CODEC, make_model_directory

VOICE = "own"


class Running(NamedTuple):
    """A server that answers, and the same model for single runs."""

    url: str
    port: int
    server: Server
    speaker: Synthesizer
    voice: Prompt
    wyoming_port: int | None


def make_model_and_voice(folder: Path) -> tuple[Path, Path]:
    """Returns a model directory, and a folder with the voice `own`."""
    model = make_model_directory(folder, "aligned", max_prompt_s=2.0)
    latents = np.random.default_rng(0).standard_normal((20, CODEC.latent_dim))
    codec_hash = load(model, runtime="onnx").model.codec_hash
    voices = folder / "voices"
    voices.mkdir()
    prompt = Prompt(latents.astype(np.float32), None, codec_hash)
    save_voice(prompt, voices / f"{VOICE}.safetensors")
    return model, voices


@contextmanager
def running_server(folder: Path, **settings: Any) -> Iterator[Running]:
    """Serves while the block runs; then nothing of the server may be left."""
    model, voices = make_model_and_voice(folder)
    values = {
        "port": 0,
        "model": str(model),
        "runtime": "onnx",
        "voices_dir": voices,
        "default_voice": VOICE,
        "shutdown_s": 1,
    }
    server = Server(ServerConfig.model_validate(values | settings))
    socket = listen("127.0.0.1", 0)
    port = socket.getsockname()[1]
    web = web_server(server)
    thread = threading.Thread(target=web.run, args=([socket],))
    thread.start()
    speaker = load(model, runtime="onnx")
    try:
        while not web.started:
            time.sleep(0.01)
        wyoming_port = getattr(web.config.app.state, "wyoming_port", None)
        voice = server.voice(VOICE)
        yield Running(f"http://127.0.0.1:{port}", port, server, speaker, voice, wyoming_port)
        assert server.engine.num_speeches == server.engine.num_rows == 0
    finally:
        web.should_exit = True
        thread.join(30)
        socket.close()
    assert not thread.is_alive()
    assert not any(one.name.startswith("speech-") for one in threading.enumerate())
