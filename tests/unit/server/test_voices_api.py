"""Voices of clients: stored with consent, whole or not at all, and nowhere but in their folder."""

import base64
import io
from pathlib import Path

import numpy as np
import pytest
import soundfile

from latentspeech.core.errors import ConfigError, InputError
from latentspeech.server.voices.library import UnknownVoiceError, VoiceExistsError, VoiceLibrary
from latentspeech.tts.prompt import Prompt
from tests.http_client import Answer, call, form
from tests.running_server import VOICE, Running
from tests.tiny_models import voice_like

PROMPT = Prompt(np.ones((5, 4), dtype=np.float32), "Hello.", "hash")


@pytest.fixture(scope="module")
def recording() -> bytes:
    file = io.BytesIO()
    soundfile.write(file, voice_like(3).numpy(), 24_000, format="WAV")
    return file.getvalue()


def store(running: Running, recording: bytes, **fields: str) -> Answer:
    given = {"name": "ann", "consent": "Ann, by letter", **fields}
    body, headers = form(given, {"audio_sample": recording})
    return call(f"{running.url}/v1/audio/voices", body, headers=headers)


def test_a_voice_is_stored_used_and_deleted(running: Running, recording: bytes) -> None:
    added = store(running, recording)
    assert added.status == 201, added.body
    assert added.json["voice"]["consent"] == "Ann, by letter"
    listed = call(f"{running.url}/v1/audio/voices").json
    assert "ann" in listed["voices"]
    assert {one["name"] for one in listed["uploaded_voices"]} == {VOICE, "ann"}
    assert store(running, recording).error["code"] == "voice_exists"

    url, body = f"{running.url}/v1/audio/speech", {"input": "One two.", "response_format": "pcm"}
    by_name = call(url, {**body, "voice": "ann"}).body
    data = "data:audio/wav;base64," + base64.b64encode(recording).decode()
    by_recording = call(url, {**body, "ref_audio": data}).body  # the same voice
    pcm = [np.frombuffer(one, "<i2").astype(np.int32) for one in (by_recording, by_name)]
    np.testing.assert_allclose(*pcm, atol=2)  # chunks of other sizes are rounded in another way

    assert call(f"{running.url}/v1/audio/voices/ann", method="DELETE").json["success"]
    assert call(url, {**body, "voice": "ann"}).status == 404
    assert call(f"{running.url}/v1/audio/voices/ann", method="DELETE").status == 404


@pytest.mark.parametrize(
    ("fields", "status", "message"),
    [
        ({"name": "../../etc/x"}, 400, "cannot be used"),
        ({"name": "a/b"}, 400, "cannot be used"),
        ({"name": ".hidden"}, 400, "cannot be used"),
        ({"name": VOICE}, 409, "exists already"),
        ({"consent": " "}, 400, "consent is empty"),
    ],
)
def test_what_cannot_be_stored_is_refused(
    running: Running, recording: bytes, fields: dict[str, str], status: int, message: str
) -> None:
    before = sorted(running.server.config.voices_dir.iterdir())
    answer = store(running, recording, **fields)
    assert (answer.status, message in answer.error["message"]) == (status, True), answer.body
    assert sorted(running.server.config.voices_dir.iterdir()) == before


def test_a_form_without_consent_or_audio_is_refused(running: Running) -> None:
    body, headers = form({"name": "bob", "consent": "Bob"}, {})
    answer = call(f"{running.url}/v1/audio/voices", body, headers=headers)
    assert (answer.status, answer.error["param"]) == (400, "audio_sample")
    assert call(f"{running.url}/v1/audio/voices/..%2Fown", method="DELETE").status in (404, 405)


def test_a_file_that_is_no_speech_is_refused(running: Running) -> None:
    answer = store(running, b"RIFF" + b"\0" * 5000)
    assert answer.status == 400
    assert "the recording" in answer.error["message"]
    assert "/tmp" not in answer.error["message"]


def test_a_file_of_the_server_is_verified(running: Running, recording: bytes) -> None:
    made = call(f"{running.url}/v1/audio/speech", {"input": "One.", "response_format": "opus"})
    for data, synthetic in ((made.body, True), (recording, False)):
        body, headers = form({}, {"file": data})
        found = call(f"{running.url}/v1/audio/verify", body, headers=headers).json
        assert found["synthetic"] is synthetic
        assert (found["provenance"] is not None) is synthetic


@pytest.fixture
def library(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary(tmp_path / "voices", "hash", 2)


def test_a_library_keeps_its_voices(library: VoiceLibrary, tmp_path: Path) -> None:
    library.add("ann", PROMPT, "Ann")
    again = VoiceLibrary(tmp_path / "voices", "hash", 2)
    np.testing.assert_array_equal(again.get("ann").latents, PROMPT.latents)
    (stored,) = again.stored()
    assert (stored.name, stored.consent, stored.ref_text) == ("ann", "Ann", "Hello.")
    assert stored.created_at.endswith("+00:00")
    with pytest.raises(VoiceExistsError):
        again.add("ann", PROMPT, "Ann")
    again.add("bob", PROMPT, "Bob")
    with pytest.raises(InputError, match="2 voices are stored"):
        again.add("eve", PROMPT, "Eve")
    again.remove("ann")
    with pytest.raises(UnknownVoiceError):
        again.get("ann")


def test_what_a_killed_server_left_is_removed(tmp_path: Path) -> None:
    folder = tmp_path / "voices"
    folder.mkdir()
    (folder / ".tmp-12-ann.safetensors").write_bytes(b"half")
    assert VoiceLibrary(folder, "hash", 2).stored() == []
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--voices-dir"):
        VoiceLibrary(tmp_path / "file", "hash", 2)
