"""`latentspeech serve` as a process: it serves, stops as asked, and loses nothing to kill -9."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from latentspeech.server.voices.library import VoiceLibrary
from tests.http_client import call
from tests.running_server import VOICE, make_model_and_voice

pytestmark = pytest.mark.slow

# Stores voices without end and prints the name of each that is stored.
STORE = """
import sys
from pathlib import Path
import numpy as np
from latentspeech.server.voices.library import VoiceLibrary
from latentspeech.tts.prompt import Prompt
library = VoiceLibrary(Path(sys.argv[1]), "hash", 1_000_000)
prompt = Prompt(np.ones((200, 64), dtype=np.float32), "Hello.", "hash")
for number in range(1_000_000):
    library.add(f"voice{number}", prompt, "Ann")
    print(f"voice{number}", flush=True)
"""


@contextmanager
def serving(
    model: Path, voices: Path, *options: str
) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """A server in a process of its own; yields its address and the process."""
    command = [sys.executable, "-m", "latentspeech.cli.main", "serve", "--port", "0",
               "--model", str(model), "--runtime", "onnx", "--voices-dir", str(voices)]  # fmt: skip
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        line = next(line for line in process.stderr if "listening" in line)
        threading.Thread(target=process.stderr.read, daemon=True).start()
        found = re.search(r"http://\S+", line)
        assert found is not None
        yield found[0], process
    finally:
        process.kill()
        process.wait()


def test_it_serves_lets_requests_end_and_stops(tmp_path: Path) -> None:
    model, voices = make_model_and_voice(tmp_path)
    with serving(model, voices) as (url, process):
        assert call(f"{url}/ready").json["status"] == "ready"
        assert "libtorch" not in Path(f"/proc/{process.pid}/maps").read_text()
        port = int(url.rpartition(":")[2])
        body = json.dumps({"input": "A text of many words. " * 40, "voice": VOICE}).encode()
        head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
            received = connection.recv(100)
            process.send_signal(signal.SIGTERM)
            while part := connection.recv(1 << 16):
                received += part
        assert received.startswith(b"HTTP/1.1 200 ")
        assert received.endswith(b"0\r\n\r\n")  # the last chunk: the audio is whole
        assert process.wait(20) in (0, -signal.SIGTERM, 128 + signal.SIGTERM)


def test_kill_9_loses_no_voice(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", STORE, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    confirmed = [process.stdout.readline().strip() for _ in range(40)]
    process.send_signal(signal.SIGKILL)
    confirmed += process.stdout.read().split()
    process.wait()
    library = VoiceLibrary(tmp_path, "hash", 1_000_000)
    names = {voice.name for voice in library.stored()}
    assert names >= set(confirmed)
    for name in names:  # also one that was stored and not yet confirmed
        assert library.get(name).latents.shape == (200, 64)
    others = {path.name for path in tmp_path.iterdir() if path.suffix != ".safetensors"}
    assert others <= {".lock"}
    assert not list(tmp_path.glob(".tmp-*"))


def test_a_restart_after_kill_9_serves_the_voices(tmp_path: Path) -> None:
    model, voices = make_model_and_voice(tmp_path)
    with serving(model, voices) as (_, process):
        process.send_signal(signal.SIGKILL)
        process.wait()
    with serving(model, voices) as (url, _):
        assert VOICE in call(f"{url}/v1/audio/voices").json["voices"]
        assert call(f"{url}/v1/audio/speech", {"input": "One.", "voice": VOICE}).status == 200


def test_what_cannot_take_effect_is_one_line(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "latentspeech.cli.main", "serve", "--voices-dir"]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        cases = {
            "cannot listen at": ["--port", str(taken.getsockname()[1])],
            "expected ALIAS=VOICE": ["--alias", "alloy"],
            "does not have": ["--port", "0", "--alias", "alloy=nobody"],
            "file of API keys not found": ["--port", "0", "--api-keys", str(tmp_path / "none")],
            "engine.max_rows = 0": ["--max-rows", "0"],
        }
        processes = {
            message: subprocess.Popen(
                [*command, str(tmp_path / "voices"), *options], stderr=subprocess.PIPE, text=True
            )
            for message, options in cases.items()
        }
        for message, process in processes.items():
            said = process.communicate()[1]
            assert (process.returncode, message in said) == (2, True), said
            assert len(said.strip().splitlines()) == 1
