"""Two replicas of the server behind Ray Serve on one machine."""

import json
import os
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest
from websockets.sync.client import connect

from latentspeech.core.errors import ConfigError
from latentspeech.server.voices.library import VoiceLibrary
from latentspeech.tts.models import load
from latentspeech.tts.prompt import Prompt, load_voice
from latentspeech.tts.synthesizer import Synthesizer
from tests.http_client import Answer, call
from tests.running_server import VOICE, make_model_and_voice

pytestmark = pytest.mark.slow
ray = pytest.importorskip("ray", reason="run: pip install 'ray[serve]'")
serve = pytest.importorskip("ray.serve", reason="run: pip install 'ray[serve]'")

from latentspeech.server.deployment.application import build  # noqa: E402
from latentspeech.server.deployment.voice_router import home_of  # noqa: E402

ENGINE = {"max_rows": 4, "max_waiting": 12}


class Replicas(NamedTuple):
    """Where the replicas are reached, and the same model for single runs."""

    port: int
    speaker: Synthesizer
    voice: Prompt
    voices_dir: Path

    def speak(self, text: str, seed: int = 0, **more: Any) -> Answer:
        body = {"input": text, "seed": seed, "response_format": "pcm", "voice": more.get("voice")}
        url = f"http://127.0.0.1:{self.port}/v1/audio/speech"
        return call(url, body, headers=more.get("headers"))

    def alone(self, text: str, seed: int = 0) -> np.ndarray:
        return np.concatenate(list(self.speaker.stream(text, self.voice, seed)))


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replicas]:
    model, voices = make_model_and_voice(tmp_path_factory.mktemp("server"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    slow_machine = {"RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "120", "RAY_worker_niceness": "0"}
    os.environ |= {**slow_machine, "RAY_USAGE_STATS_ENABLED": "0"}
    ray.init(num_cpus=4, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False)
    server = {"model": str(model), "runtime": "onnx", "voices_dir": str(voices),
              "default_voice": VOICE, "engine": ENGINE, "shutdown_s": 1}  # fmt: skip
    try:
        serve.start(http_options={"host": "127.0.0.1", "port": port})
        serve.run(build({"num_replicas": 2, "num_cpus": 0.5, "server": server}))
        voice = load_voice(voices / f"{VOICE}.safetensors")
        yield Replicas(port, load(model, runtime="onnx"), voice, voices)
    finally:
        serve.shutdown()
        ray.shutdown()


def samples_of(answer: Answer) -> np.ndarray:
    assert answer.status == 200, answer.body
    return np.frombuffer(answer.body, "<i2") / np.float32(32768)


def name_of(answer: Answer) -> str:
    return answer.headers["x-latentspeech-replica"]


def test_many_clients_get_their_own_speech_from_both(replicas: Replicas) -> None:
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(lambda seed: replicas.speak("One two.", seed), range(24)))
    assert len({name_of(answer) for answer in answers}) == 2
    for seed, answer in enumerate(answers):
        np.testing.assert_allclose(samples_of(answer), replicas.alone("One two.", seed), atol=1e-3)


def test_a_voice_has_a_home(replicas: Replicas) -> None:
    homes = {}
    for number in range(16):
        headers = {"serve-multiplexed-model-id": f"voice{number}"}
        names = {name_of(replicas.speak("One.", headers=headers)) for _ in range(3)}
        assert len(names) == 1
        homes[number] = names.pop()
    assert len(set(homes.values())) == 2


def test_a_busy_home_sends_others_away(replicas: Replicas) -> None:
    headers = {"serve-multiplexed-model-id": VOICE}
    text = "A text of many words. " * 5
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: replicas.speak(text, headers=headers), range(16)))
    assert len({name_of(answer) for answer in answers}) == 2


def test_a_voice_that_comes_or_goes_does_so_for_all(replicas: Replicas) -> None:
    other = VoiceLibrary(replicas.voices_dir, replicas.voice.codec_hash, 10)  # any replica's
    other.add("ann", replicas.voice, "Ann")
    answers = [replicas.speak("One.", voice="ann") for _ in range(8)]
    assert {answer.status for answer in answers} == {200}
    assert len({name_of(answer) for answer in answers}) == 2
    other.remove("ann")
    assert {replicas.speak("One.", voice="ann").status for _ in range(8)} == {404}


def test_a_websocket_goes_to_one_replica(replicas: Replicas) -> None:
    with connect(f"ws://127.0.0.1:{replicas.port}/v1/audio/speech/stream") as stream:
        stream.send(json.dumps({"type": "input.text", "text": "One two. Three."}))
        stream.send(json.dumps({"type": "input.done"}))
        received = [*stream]
    audio = b"".join(one for one in received if isinstance(one, bytes))
    samples = np.frombuffer(audio, "<i2") / np.float32(32768)
    np.testing.assert_allclose(samples, replicas.alone("One two. Three."), atol=1e-3)
    assert json.loads(received[-1]) == {"type": "session.done"}


def test_too_many_clients_hear_when_to_come_again(replicas: Replicas) -> None:
    text = "A text of many words. " * 5
    with ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda _: replicas.speak(text), range(64)))
    refused = [answer for answer in answers if answer.status != 200]
    assert {answer.status for answer in refused} == {429}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)


def test_a_client_that_leaves_frees_its_row(replicas: Replicas) -> None:
    body = json.dumps({"input": "A text of many words. " * 100}).encode()
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", replicas.port)) as client:
        client.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        assert client.recv(100).startswith(b"HTTP/1.1 200")
    free: set[str] = set()
    end = time.monotonic() + 60
    while len(free) < 2:
        assert time.monotonic() < end
        ready = call(f"http://127.0.0.1:{replicas.port}/ready")
        (free.discard if ready.json["speeches"] else free.add)(name_of(ready))


def test_a_replica_that_goes_moves_its_own_voices_alone() -> None:
    many = [SimpleNamespace(replica_id=SimpleNamespace(unique_id=str(i))) for i in range(5)]
    homes = {f"voice{i}": home_of(f"voice{i}", many) for i in range(200)}
    fewer = many[1:]
    moved = [voice for voice, home in homes.items() if home_of(voice, fewer) is not home]
    assert moved == [voice for voice, home in homes.items() if home is many[0]]
    assert 10 < len(moved) < 80


def test_settings_that_belong_to_ray_are_refused() -> None:
    with pytest.raises(ConfigError, match="server has port, but Ray accepts"):
        build({"server": {"port": 8000}})
