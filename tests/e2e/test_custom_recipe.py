"""Fine-tuning on a folder as a user has it: real recordings, some of which cannot be used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import soundfile

from latentspeech.audio.io import load_audio
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.storage.model_directory import read_weights
from latentspeech.model_names import builtin_models
from latentspeech.tts.model_directory import load_lm
from tests.real_recordings import SAMPLE_RATE, real_recordings
from tests.tiny_models import make_model_directory

ROOT = Path(__file__).parents[2]
COUNT = 12

pytestmark = pytest.mark.slow


def run_recipe(data: Path, exp_dir: Path, *options: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = ["bash", str(ROOT / "egs/custom/run.sh"), "--data", str(data), "--debug"]
    return subprocess.run(
        [*command, "--nproc", "1", f"--exp_dir={exp_dir}", *options],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix},
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve recordings in four formats, one without a text, and a file that is none."""
    folder = tmp_path_factory.mktemp("custom") / "my voice"
    folder.mkdir()
    lines = ["file_name,text"]
    for number, recording in enumerate(real_recordings(COUNT)):
        suffix = ("wav", "flac", "ogg", "mp3")[number % 4]
        soundfile.write(folder / f"take {number}.{suffix}", recording.audio.numpy(), SAMPLE_RATE)
        lines.append(f'take {number}.{suffix},"{recording.text}"')
    (folder / "metadata.csv").write_text("\n".join(lines[:-1]) + "\n")
    (folder / "broken.wav").write_bytes(b"RIFF")
    (folder / "broken.txt").write_text("A text.")
    return folder


@pytest.fixture(scope="module")
def exp_dir(data: Path) -> Path:
    """The recipe's folder after a run with adapters on the voice that ships."""
    folder = data.parent / "exp"
    result = run_recipe(data, folder, "--lora_rank", "4", "--metrics", "wer-w,sim-ge2e-o")
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    assert "model directory:" in result.stdout
    return folder


def test_what_cannot_be_used_is_named(data: Path, exp_dir: Path) -> None:
    report = json.loads((exp_dir / "data/corpus/report.json").read_text())
    assert report["usable"] == COUNT - 1
    assert {kind: len(names) for kind, names in report["left_out"].items()} == {
        "no transcript": 1,
        "unreadable": 1,
    }
    strict = run_recipe(data, data.parent / "strict", "--strict", "--stop_stage", "0")
    assert strict.returncode == 2
    assert "error: 2 files cannot be used (unreadable, no transcript)" in strict.stderr
    assert "Traceback" not in strict.stderr


def test_it_speaks_with_a_plain_model(exp_dir: Path) -> None:
    audio = load_audio(exp_dir / "sample.wav", 24000)
    assert len(audio) > 24000
    assert float(audio.abs().max()) > 0.01
    assert type(load_lm(exp_dir / "model")) is LatentLM
    assert not (exp_dir / "model/codec").exists()  # it is the one that ships
    start, now = (read_weights(path) for path in (builtin_models()["tts"], exp_dir / "model"))
    assert now.keys() == start.keys()
    changed = {name for name in start if not now[name].equal(start[name])}
    assert changed
    assert all(".ffn." in n or ".attention." in n or ".blocks." in n for n in changed)


def test_scores_before_and_after_stand_side_by_side(exp_dir: Path) -> None:
    results = (exp_dir / "RESULTS.md").read_text()
    for row in ("| before |", "| after |", "| recordings |"):
        assert row in results
    assert "WER-W" in results


def test_every_weight_of_a_model_in_the_papers_layout(data: Path, tmp_path: Path) -> None:
    model = make_model_directory(tmp_path)
    result = run_recipe(
        data, tmp_path / "exp", "--model", str(model), "--full", "--stop_stage", "4"
    )
    assert result.returncode == 0, result.stderr[-4000:]
    assert "no times are needed" in result.stderr
    start, now = (load_lm(path).state_dict() for path in (model, tmp_path / "exp/tts_model"))
    same = [name for name in start if now[name].equal(start[name])]
    assert all(name.startswith("normalizers.") for name in same)
    assert (tmp_path / "exp/tts_model/codec").is_dir()
