"""The voices that ship are on the codec that ships, have a licence, and speak by name."""

import json
from pathlib import Path

import numpy as np

from latentspeech.codec.model_directory import codec_hash, find_codec
from latentspeech.tts.prompt import load_voice
from latentspeech.tts.voices import VOICES_FOLDER, builtin_voices, resolve_voice
from tests.cli_runner import latentspeech


def test_three_voices_ship_on_the_codec_that_ships() -> None:
    voices = {name: load_voice(path) for name, path in builtin_voices().items()}
    assert len(voices) >= 3
    shipped = codec_hash(find_codec())
    told = (VOICES_FOLDER / "README.md").read_text()
    for name, voice in voices.items():
        assert voice.codec_hash == shipped
        assert voice.transcript is not None
        assert voice.transcript in told
        assert f"| {name} |" in told
        assert np.isfinite(voice.latents).all()


def test_a_file_comes_before_a_name(tmp_path: Path) -> None:
    path = tmp_path / "emma"
    assert resolve_voice("emma") == VOICES_FOLDER / "emma.safetensors"
    assert resolve_voice(path) == path
    path.touch()
    assert resolve_voice(path) == path


def test_list_names_them() -> None:
    rows = json.loads(latentspeech("voice", "list", "--json").stdout)
    assert {row["name"] for row in rows} == set(builtin_voices())
    for name in builtin_voices():
        assert name in latentspeech("voice", "list").stdout.decode()
