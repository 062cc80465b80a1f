"""Requests that nobody means: no error of the server's own, no traceback, and nothing is left.

LATENTSPEECH_FUZZ sets the number of requests.
"""

import contextlib
import json
import logging
import os
import random
import socket
import string
import time
from collections.abc import Iterator

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.running_server import VOICE, Running

NUM_REQUESTS = int(os.environ.get("LATENTSPEECH_FUZZ", "200"))
SPEECH = {"model": "tts-1", "input": "One.", "voice": VOICE, "response_format": "pcm"}
PATHS = (
    "/v1/audio/speech", "/v1/audio/speech/batch", "/v1/audio/voices", "/v1/audio/verify",
    "/v1/audio/voices/%2e%2e%2fown", "/v1/models/%00", "/page/..%2f..%2fconfig.py", "/", "//",
)  # fmt: skip
METHODS = ("POST", "POST", "POST", "GET", "DELETE", "PUT", "OPTIONS", "BREW")
TYPES = (
    "application/json", "multipart/form-data; boundary=cut", "multipart/form-data", "text/plain",
    "application/json; charset=utf-16", "application/x-www-form-urlencoded",
)  # fmt: skip


def value(chance: random.Random) -> object:
    """Anything that JSON can hold, and what it cannot."""
    return chance.choice(
        [
            None, True, -1, 1e308, 10**400, float("nan"), "", "\0", "A\ud800", "<speak>", "../x",
            [], {}, [[]], {"id": None}, {"id": "own"}, "x" * 5000, "%s%n", "\u202e",
            "&amp;" * 50, "".join(chance.choices(string.printable, k=30)), ["own"] * 50,
        ]
    )  # fmt: skip


def body(chance: random.Random) -> bytes:
    """A request in which something is wrong, or a form, or noise."""
    kind = chance.random()
    if kind < 0.6:
        fields: dict[str, object] = dict(SPEECH)
        names = [
            *fields, "speed", "seed", "ref_audio", "ref_text", "items", "stream_format",
            "timestamp_granularities", "x",
        ]  # fmt: skip
        for name in chance.sample(names, chance.randint(1, 3)):
            fields[name] = value(chance)
        data = json.dumps(fields).encode("utf-8", "surrogatepass")
    elif kind < 0.8:
        name = chance.choice(["audio_sample", "file", "name", "consent", "x" * 300])
        parts = [b'--cut\r\nContent-Disposition: form-data; name="', name.encode(), b'"']
        parts += [chance.choice([b'; filename="/etc/passwd"', b"", b"; filename*=utf-8''%ff"])]
        parts += [b"\r\n\r\n", chance.randbytes(40), chance.choice([b"\r\n--cut--\r\n", b""])]
        data = b"".join(parts)
    else:
        data = chance.randbytes(chance.randint(0, 200))
    if chance.random() < 0.2:
        data = data[: chance.randint(0, len(data))]
    return data


def send(running: Running, chance: random.Random) -> bytes:
    """Sends a request as bytes; returns what comes back, perhaps nothing."""
    data = body(chance)
    length: object = len(data)
    if chance.random() < 0.05:
        length = chance.choice([-1, "x", 10**30, len(data) + 1])
    head = (
        f"{chance.choice(METHODS)} {chance.choice(PATHS)} HTTP/1.1\r\n"
        f"Host: x\r\nConnection: close\r\n"
        f"Content-Type: {chance.choice(TYPES)}\r\nContent-Length: {length}\r\n"
    )
    if chance.random() < 0.2:
        head += f"Authorization: Bearer {''.join(chance.choices(string.ascii_letters, k=9))}\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=30) as connection:
        connection.sendall(f"{head}\r\n".encode() + data)
        if length != len(data):  # the server would wait for more
            connection.shutdown(socket.SHUT_WR)
        found = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(1 << 16):
                found += part
        return found


@pytest.fixture(autouse=True)
def _nothing_is_unexpected(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    yield
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


def test_requests_that_nobody_means(running: Running) -> None:
    chance = random.Random(int(os.environ.get("LATENTSPEECH_FUZZ_SEED", "0")))
    statuses: set[int] = set()
    for _ in range(NUM_REQUESTS):
        answer = send(running, chance)
        assert b"Traceback" not in answer
        if answer:
            status = int(answer.split()[1])
            statuses.add(status)
            assert status < 500, answer
    assert statuses >= {200, 400, 404, 405}


def test_messages_that_nobody_means(running: Running) -> None:
    chance = random.Random(1)
    kinds = ["session.config", "input.text", "input.flush", "input.done", "input.cancel", "x"]
    for _ in range(NUM_REQUESTS // 20):
        url = f"ws://127.0.0.1:{running.port}/v1/audio/speech/stream"
        with connect(url) as client, contextlib.suppress(ConnectionClosed):
            for _ in range(10):
                fields = {"type": chance.choice(kinds), "context_id": chance.choice("abc")}
                fields |= {chance.choice(["text", "voice", "seed", "context_id"]): value(chance)}
                text = json.dumps(fields)
                client.send(chance.choice([text, text, text, text[:9], text.encode("latin-1")]))
            client.send(json.dumps({"type": "input.done"}))
            while True:
                message = client.recv(timeout=30)
                if isinstance(message, str):
                    assert json.loads(message).get("error", {}).get("type") != "server_error"
                    assert "Traceback" not in message
    end = time.monotonic() + 20
    while running.server.engine.num_speeches:
        assert time.monotonic() < end
        time.sleep(0.01)
