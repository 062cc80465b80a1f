"""The commands of the README run as they stand there, with the model that ships."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from latentspeech.audio.io import audio_duration_s, write_audio
from latentspeech.tts.builtin_models import DEFAULT_MODEL, builtin_models
from tests.tiny_models import voice_like

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def code_blocks(language: str) -> list[str]:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands() -> list[str]:
    lines = "\n".join(code_blocks("bash")).splitlines()
    return [line for line in lines if line.startswith("latentspeech ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader would try the commands: a recording and a text."""
    write_audio(tmp_path / "ref.wav", voice_like(3.0), 24_000)
    (tmp_path / "book.txt").write_text("The tide comes in. It goes out again.", encoding="utf-8")
    return tmp_path


def test_a_model_ships() -> None:
    assert DEFAULT_MODEL in builtin_models()


def test_commands(folder: Path) -> None:
    assert len(commands()) >= 4
    home = str(Path(sys.executable).parent)
    environment = {**os.environ, "PATH": home + os.pathsep + os.environ["PATH"]}
    assert shutil.which("latentspeech", path=environment["PATH"]), "install the package first"
    for command in commands():
        result = subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True, timeout=300
        )
        assert result.returncode == 0, f"{command}: {result.stderr.decode()}"
    for name in ("out.wav", "copy.wav"):
        assert audio_duration_s(folder / name) > 0.5
    assert (folder / "me.safetensors").stat().st_size > 100
    assert (folder / "book.wav").read_bytes()[:4] == b"RIFF"


def test_python(folder: Path) -> None:
    (block,) = code_blocks("python")
    result = subprocess.run(
        [sys.executable, "-c", block], cwd=folder, capture_output=True, timeout=300
    )
    assert result.returncode == 0, result.stderr.decode()
    assert audio_duration_s(folder / "out.wav") > 0.5
