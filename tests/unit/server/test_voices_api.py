"""Voices of clients: stored with consent, whole or not at all, and nowhere but in their folder."""

import base64
import contextlib
import io
from concurrent.futures import ThreadPoolExecutor
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
    by_recording = call(url, {**body, "ref_audio": data}).body
    # The same voice, up to rounding: a speech of another test may still have a row.
    samples = [np.frombuffer(sound, "<i2").astype(int) for sound in (by_name, by_recording)]
    np.testing.assert_allclose(*samples, atol=33)

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
    before = sorted(running.server.config.voices_dir.rglob("*"))
    answer = store(running, recording, **fields)
    assert (answer.status, message in answer.error["message"]) == (status, True), answer.body
    assert sorted(running.server.config.voices_dir.rglob("*")) == before


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
    assert [path.name for path in folder.iterdir()] in ([], [".lock"])


def test_servers_share_a_folder(library: VoiceLibrary, tmp_path: Path) -> None:
    other = VoiceLibrary(tmp_path / "voices", "hash", 2)
    library.add("ann", PROMPT, "Ann")
    np.testing.assert_array_equal(other.get("ann").latents, PROMPT.latents)
    library.remove("ann")
    with pytest.raises(UnknownVoiceError):
        other.get("ann")
    again = Prompt(2 * PROMPT.latents, "Hello.", "hash")
    library.add("ann", again, "Ann")
    np.testing.assert_array_equal(other.get("ann").latents, again.latents)


def test_a_name_goes_to_one_of_two_servers(tmp_path: Path) -> None:
    folder, names = tmp_path / "voices", [f"voice{i}" for i in range(30)]

    def add_all(_: int) -> list[str]:
        library, added = VoiceLibrary(folder, "hash", 100), []
        for name in names:
            with contextlib.suppress(VoiceExistsError):
                added.append(library.add(name, PROMPT, "Ann").name)
            VoiceLibrary(folder, "hash", 100)  # a server that starts harms no other
        return added

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(add_all, range(2))
    assert sorted(first + second) == sorted(names)


def test_a_folder_that_cannot_be_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--voices-dir"):
        VoiceLibrary(tmp_path / "file", "hash", 2)
