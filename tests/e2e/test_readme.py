"""The commands of the README run as they stand there, with the model in LATENTSPEECH_MODEL."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from latentspeech.audio.io import audio_duration_s, write_audio
from latentspeech.core.model_names import MODEL_VARIABLE
from tests.tiny_models import make_model_directory, voice_like

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


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    home = str(Path(sys.executable).parent)
    return {
        **os.environ,
        "PATH": home + os.pathsep + os.environ["PATH"],
        MODEL_VARIABLE: str(make_model_directory(tmp_path_factory.mktemp("tiny"))),
    }


def test_commands(folder: Path, environment: dict[str, str]) -> None:
    assert len(commands()) >= 4
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


def test_python(folder: Path, environment: dict[str, str]) -> None:
    (block,) = code_blocks("python")
    result = subprocess.run(
        [sys.executable, "-c", block],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr.decode()
    assert audio_duration_s(folder / "out.wav") > 0.5
