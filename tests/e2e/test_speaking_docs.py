"""The commands and the Python of pages on speaking run as they stand, with the models that ship."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from latentspeech.audio.io import audio_duration_s, write_audio
from latentspeech.model_names import MODEL_VARIABLE
from tests.tiny_models import voice_like

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
MADE_BY = {
    "README.md": ("out.wav", "copy.wav", "me.safetensors", "book.wav"),
    "docs/voice.md": ("out.wav", "me.safetensors", "book.wav", "noon.flac"),
    "docs/delivery.md": ("out.wav", "out.srt", "ssml.wav", "fast.wav", "book.wav"),
}


def code_blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


def commands(page: str) -> list[str]:
    lines = "\n".join(code_blocks(page, "bash")).splitlines()
    return [line for line in lines if line.startswith("latentspeech ")]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader would try the commands: a recording and a text."""
    write_audio(tmp_path / "ref.wav", voice_like(3.0), 24_000)
    (tmp_path / "book.txt").write_text("The tide comes in. It goes out again.", encoding="utf-8")
    (tmp_path / "words.tsv").write_text("nginx\tengine X\n", encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    home = str(Path(sys.executable).parent)
    path = home + os.pathsep + os.environ["PATH"]
    return {name: value for name, value in os.environ.items() if name != MODEL_VARIABLE} | {
        "PATH": path
    }


@pytest.mark.parametrize("page", MADE_BY)
def test_commands(page: str, folder: Path, environment: dict[str, str]) -> None:
    assert len(commands(page)) >= 4
    assert shutil.which("latentspeech", path=environment["PATH"]), "install the package first"
    for command in commands(page):
        result = subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True, timeout=300
        )
        assert result.returncode == 0, f"{command}: {result.stderr.decode()}"
    for name in MADE_BY[page]:
        assert (folder / name).stat().st_size > 100
    assert audio_duration_s(folder / "out.wav") > 0.5
    assert (folder / "book.wav").read_bytes()[:4] == b"RIFF"


@pytest.mark.parametrize("page", MADE_BY)
def test_python(page: str, folder: Path, environment: dict[str, str]) -> None:
    (block,) = code_blocks(page, "python")
    result = subprocess.run(
        [sys.executable, "-c", block],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr.decode()
    assert audio_duration_s(folder / "out.wav") > 0.5
