"""POST /v1/audio/speech as OpenAI's Python client and curl use it, and everything it refuses."""

import base64
import contextlib
import dataclasses
import io
import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import av
import numpy as np
import openai
import pytest
import soundfile

from latentspeech.server.http import speech_routes
from latentspeech.server.http.speech_requests import SpeechRequest
from latentspeech.server.speech.formats import make_encoder
from latentspeech.text.reading import Delivery
from latentspeech.tts.length_guard import STREAMED
from latentspeech.tts.synthesizer import PROVENANCE
from tests.http_client import Answer, call
from tests.running_server import VOICE, Running

TEXT = "The tide comes in at six. Boats leave!"
BREAK = '<break time="60s"/>'


def client(running: Running) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{running.url}/v1", api_key="none", max_retries=0)


def alone(running: Running, text: str = TEXT, seed: int = 0) -> np.ndarray:
    return np.concatenate(list(running.speaker.stream(text, running.voice, seed)))


def speak(running: Running, **body: Any) -> Answer:
    return call(f"{running.url}/v1/audio/speech", {"model": "tts-1", "input": TEXT, **body})


def decoded(data: bytes) -> tuple[np.ndarray, dict[str, str]]:
    """Samples at 24 kHz and the metadata of a file, by FFmpeg."""
    with av.open(io.BytesIO(data)) as container:
        planes = av.AudioResampler(format="fltp", layout="mono", rate=24_000)
        parts = [part for frame in container.decode(audio=0) for part in planes.resample(frame)]
        parts += planes.resample(None)
        metadata = {**container.metadata, **container.streams.audio[0].metadata}
        return np.concatenate([part.to_ndarray()[0] for part in parts]), metadata


def test_openais_client_creates_speech(running: Running, tmp_path: Path) -> None:
    made = client(running).audio.speech.create(
        model="gpt-4o-mini-tts", voice=VOICE, input=TEXT, response_format="wav"
    )
    made.write_to_file(tmp_path / "speech.wav")
    samples, rate = soundfile.read(tmp_path / "speech.wav", dtype="float32")
    assert rate == running.speaker.sample_rate
    np.testing.assert_allclose(samples, alone(running), atol=1e-3)
    assert soundfile.SoundFile(tmp_path / "speech.wav").comment == PROVENANCE


def test_openais_client_streams_to_a_file(running: Running, tmp_path: Path) -> None:
    speech = client(running).audio.speech.with_streaming_response
    with speech.create(model="tts-1", voice={"id": VOICE}, input=TEXT) as response:
        response.stream_to_file(tmp_path / "speech.mp3")
        assert response.headers["content-type"] == "audio/mpeg"
        assert response.headers["x-latentspeech-quality"] == "full"
    samples, metadata = decoded((tmp_path / "speech.mp3").read_bytes())
    assert len(samples) >= len(alone(running))
    assert metadata["comment"] == PROVENANCE


def test_openais_client_gets_events(running: Running) -> None:
    speech = client(running).audio.speech.with_streaming_response
    with speech.create(
        model="tts-1", voice=VOICE, input=TEXT, stream_format="sse", response_format="pcm"
    ) as response:
        lines = [line for line in response.iter_lines() if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    *deltas, done = events
    assert {event["type"] for event in deltas} == {"speech.audio.delta"}
    assert len(deltas) > 2  # it came in pieces
    pcm = b"".join(base64.b64decode(event["audio"]) for event in deltas)
    samples = np.frombuffer(pcm, "<i2") / np.float32(32768)
    np.testing.assert_allclose(samples, alone(running), atol=1e-3)
    assert done["type"] == "speech.audio.done"
    usage = done["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


def test_openais_client_understands_errors(running: Running) -> None:
    with pytest.raises(openai.NotFoundError, match="there is no voice 'nobody'") as missing:
        client(running).audio.speech.create(model="tts-1", voice="nobody", input=TEXT)
    assert missing.value.code == "voice_not_found"
    with pytest.raises(openai.BadRequestError, match=r"expected 0\.5 to 2"):
        client(running).audio.speech.create(model="tts-1", voice=VOICE, input=TEXT, speed=4)


def test_openais_client_lists_models(running: Running) -> None:
    names = [model.id for model in client(running).models.list()]
    assert "latentspeech" in names
    assert client(running).models.retrieve("tts-1").id == "tts-1"


def test_the_encoder_of_a_client_that_leaves_is_freed_at_once(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, freed = threading.Event(), threading.Event()

    def make_watched(*given: Any) -> Any:
        encoder = make_encoder(*given)

        @contextlib.contextmanager
        def watched() -> Iterator[Any]:
            try:
                with encoder:
                    begun.set()
                    yield encoder
            finally:
                if not hasattr(encoder, "_container"):
                    freed.set()

        return watched()

    monkeypatch.setattr(speech_routes, "make_encoder", make_watched)
    body = json.dumps({"input": "Many words. " * 200, "response_format": "flac"}).encode()
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    with socket.create_connection(("127.0.0.1", running.port)) as leaving:
        leaving.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        assert begun.wait(60)
    assert freed.wait(60)
    end = time.monotonic() + 20
    while running.server.engine.num_speeches:
        assert time.monotonic() < end
        time.sleep(0.01)


@pytest.mark.parametrize("name", ["mp3", "opus", "aac", "flac", "wav"])
def test_every_format_holds_the_speech_and_says_that_it_is_synthetic(
    running: Running, name: str
) -> None:
    samples, metadata = decoded(speak(running, response_format=name).body)
    wanted = alone(running)
    assert 0 <= len(samples) - len(wanted) < 0.15 * 24_000  # coders pad the ends
    if name in ("flac", "wav"):
        np.testing.assert_allclose(samples[: len(wanted)], wanted, atol=1e-3)
    found = {key.lower(): value for key, value in metadata.items()}
    assert found["comment"] == PROVENANCE


def test_curl_gets_pcm(running: Running) -> None:
    body = json.dumps({"model": "tts-1", "input": TEXT, "response_format": "pcm", "seed": 3})
    command = ["curl", "-sS", "--fail", f"{running.url}/v1/audio/speech", "-d", body,
               "-H", "Content-Type: application/json"]  # fmt: skip
    pcm = subprocess.run(command, capture_output=True, check=True).stdout
    samples = np.frombuffer(pcm, "<i2") / np.float32(32768)
    np.testing.assert_allclose(samples, alone(running, seed=3), atol=1e-3)


def test_pace_and_ssml_are_those_of_the_synthesizer(running: Running) -> None:
    text = '<speak>The tide<break time="400ms"/> comes in.<p>Boats leave!</p></speak>'
    pcm = speak(running, response_format="pcm", input=text, speed=1.25).body
    samples = np.frombuffer(pcm, "<i2") / np.float32(32768)
    delivery = Delivery(speed=1.25)
    wanted = np.concatenate(list(running.speaker.stream(text, running.voice, delivery=delivery)))
    np.testing.assert_allclose(samples, wanted, atol=1e-3)


def test_events_have_the_times_of_words(running: Running) -> None:
    asked = {"stream_format": "sse", "timestamp_granularities": ["word"], "speed": 0.75}
    lines = speak(running, response_format="mp3", **asked).body.decode().splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line]
    rows = [row for one in events if one["type"] == "speech.audio.words" for row in one["words"]]
    delivery = Delivery(speed=0.75)
    wanted = running.speaker.synthesize(TEXT, running.voice, guard=STREAMED, delivery=delivery)
    assert " ".join(row["word"] for row in rows) == TEXT
    for name in ("start", "end"):
        times = [getattr(word, f"{name}_s") for word in wanted.words]
        assert [row[name] for row in rows] == pytest.approx(times, abs=0.011)
    kinds = [one["type"] for one in events]
    assert kinds.index("speech.audio.words") < kinds.index("speech.audio.done") == len(kinds) - 1


def test_a_model_that_knows_no_times_refuses_them(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = running.server.engine.model
    untimed = dataclasses.replace(model.layout, needs_symbol_times=False)
    monkeypatch.setattr(running.server.engine, "model", dataclasses.replace(model, layout=untimed))
    answer = speak(running, stream_format="sse", timestamp_granularities=["word"])
    assert answer.status == 400
    assert "layout aligned" in answer.error["message"]


def test_nobody_gets_the_speech_of_another(running: Running) -> None:
    def one(seed: int) -> np.ndarray:
        pcm = speak(running, response_format="pcm", seed=seed).body
        return np.frombuffer(pcm, "<i2") / np.float32(32768)

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(one, range(20)))
    for seed, samples in enumerate(found):
        np.testing.assert_allclose(samples, alone(running, seed=seed), atol=1e-3)


def test_a_client_that_leaves_frees_its_row(running: Running) -> None:
    body = json.dumps({"model": "tts-1", "input": "A long text of many words. " * 100}).encode()
    head = f"POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n"
    for waits in (True, False):  # for its first audio, or not even for that
        with socket.create_connection(("127.0.0.1", running.port)) as connection:
            connection.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
            if waits:
                assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
        end = time.monotonic() + 20
        while running.server.engine.num_speeches:
            assert time.monotonic() < end
            time.sleep(0.01)
    assert running.server.metrics.cancelled._value.get() > 0


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        ({"input": "..."}, 400, "nothing to speak"),
        ({"input": ""}, 400, "nothing to speak"),
        ({"input": "A" * 5000}, 400, "5000 characters; expected at most 4096"),
        ({"input": 5}, 400, "input: "),
        ({"input": "A\ud800."}, 400, "surrogate"),
        ({"voice": "../own"}, 404, "no voice"),
        ({"voice": ["own"]}, 400, "voice"),
        ({"model": "whisper-1"}, 400, "no model 'whisper-1'"),
        ({"response_format": "exe"}, 400, "response_format"),
        ({"speed": 0.25}, 400, "speed: the speed is 0.25 times the voice's own pace; expected 0.5"),
        ({"timestamp_granularities": ["word"]}, 400, "give stream_format sse as well"),
        ({"timestamp_granularities": ["segment"], "stream_format": "sse"}, 400, "'word'"),
        ({"input": "<speak>A <b>cat</speak>"}, 400, "SSML, line 1"),
        ({"input": '<speak><prosody rate="10%">A.</prosody></speak>'}, 400, "expected 0.5 to 2"),
        ({"input": f"<speak>A.{BREAK * 16}</speak>"}, 400, "960 s long in all"),
        ({"instructions": "Whisper."}, 400, "cannot be instructed"),
        ({"language": "fr"}, 400, "'fr' is not spoken; expected en"),
        ({"volume": 2}, 400, "does not know the field"),
        ({"seed": -1}, 400, "seed"),
        ({"ref_text": "So."}, 400, "ref_text needs ref_audio"),
        ({"ref_audio": "http://example.com/a.wav"}, 400, "fetches no addresses"),
        ({"ref_audio": "AAAA", "voice": VOICE}, 400, "expected one of them"),
    ],
)
def test_what_cannot_be_done_is_said(
    running: Running, body: dict[str, Any], status: int, message: str
) -> None:
    answer = speak(running, **body)
    assert answer.status == status
    assert message in answer.error["message"]


def test_what_is_no_request_is_said(running: Running) -> None:
    url = f"{running.url}/v1/audio/speech"
    json_type = {"Content-Type": "application/json"}
    for body in (b"{", b"[]", b"\xff\xfe", b'{"input": ' + b"[" * 5000):
        assert call(url, body, headers=json_type).status == 400
    error = call(url, b"{", headers=json_type).json["error"]
    assert error["message"].startswith("the body is not JSON")
    assert error["param"] is None
    assert call(url).status == 405
    assert call(f"{running.url}/v1/nothing").status == 404


def test_a_body_that_is_too_large_is_not_read(running: Running) -> None:
    size = running.server.config.limits.max_upload_bytes + 1
    head = "POST /v1/audio/speech HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", running.port)) as stated:
        stated.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode())
        assert stated.recv(10_000).startswith(b"HTTP/1.1 413 ")
    with socket.create_connection(("127.0.0.1", running.port)) as chunked:
        chunked.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n{size:x}\r\n".encode())
        with contextlib.suppress(OSError):  # the server closes the connection
            chunked.sendall(b"0" * size)
        assert chunked.recv(10_000).startswith(b"HTTP/1.1 413 ")


def test_a_batch_has_a_result_or_an_error_for_each_text(running: Running) -> None:
    items = [{"input": "One."}, {"input": "?"}, {"input": "Two.", "seed": 5}]
    body = {"items": items, "response_format": "pcm", "voice": VOICE}
    answer = call(f"{running.url}/v1/audio/speech/batch", body).json
    assert (answer["total"], answer["succeeded"], answer["failed"]) == (3, 2, 1)
    first, bad, last = answer["results"]
    assert "nothing to speak" in bad["error"]["message"]
    assert first["media_type"] == "audio/pcm"
    samples = np.frombuffer(base64.b64decode(last["audio_data"]), "<i2") / np.float32(32768)
    np.testing.assert_allclose(samples, alone(running, "Two.", 5), atol=1e-3)
    many = call(f"{running.url}/v1/audio/speech/batch", {"items": [{"input": "A."}] * 33})
    assert many.status == 400


def test_health_and_counts(running: Running) -> None:
    assert call(f"{running.url}/health").json["status"] == "ok"
    assert call(f"{running.url}/ready").json["status"] == "ready"
    speak(running)
    counts = call(f"{running.url}/metrics").body.decode()
    assert "latentspeech_first_audio_seconds_bucket" in counts
    found = [line for line in counts.splitlines() if 'requests_total{outcome="done"}' in line]
    assert float(found[0].split()[1]) >= 1


def test_threads_do_not_grow(running: Running) -> None:
    speak(running)
    before = threading.active_count()
    for seed in range(5):
        speak(running, seed=seed)
    assert threading.active_count() <= before


def test_the_defaults_are_openais() -> None:
    asked = SpeechRequest(input="A.")
    assert (asked.response_format, asked.speed, asked.stream_format) == ("mp3", 1.0, "audio")
