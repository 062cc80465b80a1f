"""Text in while it is written, audio out while it is spoken, over a WebSocket."""

import base64
import json
import time
from typing import Any

import numpy as np
import pytest
from websockets.sync.client import ClientConnection, connect

from latentspeech.server.speech.written_text import WrittenText
from latentspeech.text.reading import Delivery
from tests.running_server import VOICE, Running

TEXT = "The tide comes in at six. Boats leave! Who knows why?"


def open_socket(running: Running) -> ClientConnection:
    return connect(f"ws://127.0.0.1:{running.port}/v1/audio/speech/stream")


def send(socket: ClientConnection, kind: str, **values: Any) -> None:
    socket.send(json.dumps({"type": kind, **values}))


def until(socket: ClientConnection, kind: str) -> tuple[list[dict[str, Any]], bytes]:
    """All messages up to one of that kind, and the audio among them."""
    messages: list[dict[str, Any]] = []
    audio = b""
    while not messages or messages[-1]["type"] != kind:
        received = socket.recv(timeout=60)
        if isinstance(received, bytes):
            audio += received
        else:
            messages.append(json.loads(received))
    return messages, audio


def samples_of(audio: bytes) -> np.ndarray:
    return np.frombuffer(audio, "<i2") / np.float32(32768)


def alone(running: Running, text: str, seed: int = 0, speed: float = 1.0) -> np.ndarray:
    delivery = Delivery(speed=speed)
    return np.concatenate(
        list(running.speaker.stream(text, running.voice, seed, delivery=delivery))
    )


def wait_until_nothing_is_left(running: Running) -> None:
    end = time.monotonic() + 20
    while running.server.engine.num_speeches:
        assert time.monotonic() < end
        time.sleep(0.01)


def test_text_in_pieces_is_the_speech_of_the_whole(running: Running) -> None:
    with open_socket(running) as socket:
        send(socket, "session.config", voice=VOICE, response_format="pcm", seed=2)
        for start in range(0, len(TEXT), 7):
            send(socket, "input.text", text=TEXT[start : start + 7])
        send(socket, "input.done")
        messages, audio = until(socket, "session.done")
    np.testing.assert_allclose(samples_of(audio), alone(running, TEXT, 2), atol=1e-3)
    kinds = [message["type"] for message in messages]
    assert kinds == ["audio.start", "audio.done"] * 3 + ["context.done", "session.done"]
    assert [one["sentence_index"] for one in messages if one["type"] == "audio.done"] == [0, 1, 2]
    assert messages[0]["sample_rate"] == running.speaker.sample_rate


@pytest.mark.parametrize(
    "text", ["A cat.\n \nA dog. A bird.", '<speak>A cat. <break time="1s"/>A dog.</speak>']
)
def test_paragraphs_ssml_and_pace(running: Running, text: str) -> None:
    with open_socket(running) as socket:
        send(socket, "session.config", voice=VOICE, speed=1.5)
        for start in range(0, len(text), 5):
            send(socket, "input.text", text=text[start : start + 5])
        send(socket, "input.done")
        _, audio = until(socket, "session.done")
    np.testing.assert_allclose(samples_of(audio), alone(running, text, speed=1.5), atol=1e-3)


def test_words_come_with_their_times_if_asked(running: Running) -> None:
    with open_socket(running) as socket:
        send(socket, "session.config", voice=VOICE, add_timestamps=True)
        send(socket, "input.text", context_id="a", text=TEXT)
        send(socket, "input.done", context_id="a")
        messages, _ = until(socket, "context.done")
    words = [one for one in messages if one["type"] == "word_timestamps"]
    assert {one["context_id"] for one in words} == {"a"}
    assert " ".join(word for one in words for word in one["words"]) == TEXT
    chunks = list(running.speaker.stream_chunks(TEXT, running.voice))
    times = [(word.start_s, word.end_s) for chunk in chunks for word in chunk.words]
    starts = [time for one in words for time in one["start"]]
    ends = [time for one in words for time in one["end"]]
    assert starts == pytest.approx([start for start, _ in times], abs=0.011)
    assert ends == pytest.approx([end for _, end in times], abs=0.011)


def test_a_sentence_is_spoken_before_the_text_ends(running: Running) -> None:
    with open_socket(running) as socket:
        send(socket, "input.text", text="The first one. And")
        messages, audio = until(socket, "audio.done")
        assert len(audio)
        send(socket, "input.flush")  # "And" alone
        until(socket, "audio.done")
        send(socket, "input.done")
        until(socket, "session.done")
    assert messages[0] == {**messages[0], "type": "audio.start", "format": "pcm"}


def test_contexts_share_a_connection_and_are_cancelled_alone(running: Running) -> None:
    with open_socket(running) as socket:
        send(socket, "input.text", context_id="a", text="A long text of words. " * 100)
        send(socket, "input.text", context_id="b", text="One two.")
        send(socket, "input.cancel", context_id="a")
        send(socket, "input.done", context_id="b")
        messages, audio = until(socket, "context.done")
        while messages[-1]["context_id"] != "b":
            messages += until(socket, "context.done")[0]
        assert not audio  # contexts get theirs as base64
        ended = {one["context_id"]: one["cancelled"] for one in messages if "cancelled" in one}
        assert ended == {"a": True, "b": False}
        of_b = [one for one in messages if one["context_id"] == "b"]
        pcm = b"".join(base64.b64decode(one["audio"]) for one in of_b if "audio" in one)
        np.testing.assert_allclose(samples_of(pcm), alone(running, "One two."), atol=1e-3)
        wait_until_nothing_is_left(running)


def test_a_speech_is_cancelled_after_its_text_ended(running: Running) -> None:
    with open_socket(running) as socket:
        send(socket, "input.text", text="A long text of many words. " * 100)
        send(socket, "input.done")
        until(socket, "audio.start")
        send(socket, "input.cancel")
        assert until(socket, "context.done")[0][-1]["cancelled"]
        send(socket, "input.text", text="One. ")  # the session goes on
        send(socket, "input.done")
        messages, _ = until(socket, "session.done")
        assert messages[-2] == {"type": "context.done", "cancelled": False}
    with open_socket(running) as socket:
        send(socket, "input.done")
        assert until(socket, "session.done")[0] == [{"type": "session.done"}]


def test_a_client_that_leaves_leaves_nothing(running: Running) -> None:
    with open_socket(running) as socket:
        send(socket, "input.text", text="A long text of many words. " * 100)
        until(socket, "audio.start")
    wait_until_nothing_is_left(running)


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("{", "Invalid JSON"),
        ('{"type": "input.text"}', "Field required"),
        ('{"type": "shout"}', "input.text"),
        ('{"type": "session.config", "response_format": "exe"}', "response_format"),
        ('{"type": "session.config", "speed": 3}', "expected 0.5 to 2"),
        ('{"type": "input.text", "text": "' + "a" * 5000 + '"}', "5000 characters"),
        ('{"type": "input.text", "text": "A\\ud800. B. "}', "Invalid JSON"),
    ],
)
def test_a_bad_message_is_answered_and_the_session_goes_on(
    running: Running, message: str, expected: str
) -> None:
    with open_socket(running) as socket:
        socket.send(message)
        messages, _ = until(socket, "error")
        assert expected in messages[-1]["error"]["message"]
        send(socket, "input.text", context_id="b", text="One.")
        send(socket, "input.done", context_id="b")
        until(socket, "context.done")


def test_an_unknown_voice_is_said_at_once_and_never_replaced(running: Running) -> None:
    with open_socket(running) as socket:
        send(socket, "input.text", text="A text of words. " * 5)
        until(socket, "audio.start")
        send(socket, "session.config", voice="nobody")
        assert until(socket, "error")[0][-1]["error"]["code"] == "voice_not_found"
        send(socket, "input.done")  # the speech that runs goes on
        messages, _ = until(socket, "session.done")
        assert messages[-2] == {"type": "context.done", "cancelled": False}
    with open_socket(running) as socket:
        for kind, values in (
            ("session.config", {"voice": "nobody"}),
            ("input.text", {"text": "A"}),
        ):
            send(socket, kind, **values)
            assert until(socket, "error")[0][-1]["error"]["code"] == "voice_not_found"


def test_what_of_a_text_is_complete() -> None:
    text = WrittenText()
    assert text.add("I met Mr. ") == []
    assert text.add("Smith. He w") == ["I met Mr. Smith."]
    assert text.add("as late") == []
    assert text.add(".") == []
    assert text.add(" Pi is 3.") == ["He was late."]
    assert text.add("14 or so. ") == []
    assert text.flush() == ["Pi is 3.14 or so. "]
    assert text.flush() == []
    assert text.add("One. Two\n") == ["One."]
    assert text.add(" \nThree. Fo") == ["Two", "\n\nThree."]
    assert text.add("ur.\n\n") == ["Four."]
    assert text.flush() == []
    assert text.add("<speak>A cat. A dog. ") == []
    assert text.flush() == ["<speak>A cat. A dog. "]
    assert text.add("... ") == []
    assert text.flush() == []
