"""The commands and the Python of docs/codec.md run as they stand there, with the default codec."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from latentspeech.audio.io import audio_duration_s, write_audio
from latentspeech.audio.pcm import encode_pcm
from latentspeech.model_names import MODEL_VARIABLE
from tests.tiny_models import voice_like

pytestmark = pytest.mark.slow

PAGE = Path(__file__).parents[2] / "docs" / "codec.md"


def code_blocks(language: str) -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a reader would try the commands: a recording, as a file and as PCM."""
    audio = voice_like(2.0)
    write_audio(tmp_path / "ref.wav", audio, 24_000)
    (tmp_path / "ref.s16le").write_bytes(encode_pcm(audio, "s16le"))
    return tmp_path


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    """That of a reader who has set nothing."""
    home = str(Path(sys.executable).parent)
    found = {**os.environ, "PATH": home + os.pathsep + os.environ["PATH"]}
    found.pop(MODEL_VARIABLE, None)
    return found


def test_commands(folder: Path, environment: dict[str, str]) -> None:
    lines = "\n".join(code_blocks("bash")).splitlines()
    commands = [line for line in lines if line.startswith("latentspeech ")]
    assert len(commands) == 7
    assert shutil.which("latentspeech", path=environment["PATH"]), "install the package first"
    for command in commands:
        result = subprocess.run(
            command, shell=True, cwd=folder, env=environment, capture_output=True, timeout=300
        )
        assert result.returncode == 0, f"{command}: {result.stderr.decode()}"
    for name in ("copy.wav", "decoded.wav"):
        assert audio_duration_s(folder / name) == pytest.approx(2.0)
    assert (folder / "copy.wav").read_bytes() == (folder / "decoded.wav").read_bytes()
    assert (folder / "ref.f32").stat().st_size == 30 * 32 * 4
    assert (folder / "copy.s16le").stat().st_size == 30 * 1600 * 2


def test_python(folder: Path, environment: dict[str, str]) -> None:
    (block,) = code_blocks("python")
    check = "\nassert samples.shape == (1, 1600), samples.shape\nassert latents.shape[-1] == 32\n"
    result = subprocess.run(
        [sys.executable, "-c", block + check],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr.decode()
    assert audio_duration_s(folder / "copy.wav") == pytest.approx(2.0)
