"""local/run_voice.sh on a minute of speech: what it refuses, a run on from the voice that ships."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.recipes.shell import run_bash

ROOT = Path(__file__).parents[2]
LOCAL = ROOT / "egs/mini/local"
TIMEOUT_S = 900
FEW_STEPS = (
    "train.max_steps=2 optimizer.total_steps=2 optimizer.warmup_steps=1 optimizer.lr=1e-5 "
    "train.validate_every=2 train.checkpoint_every=2 train.log_every=1 data.max_total_latents=200"
)

pytestmark = pytest.mark.slow


def test_the_runner_says_what_is_missing(tmp_path: Path) -> None:
    shown = run_bash("bash egs/mini/local/run_voice.sh --help")
    assert "--max_likeness" in shown.stdout
    result = run_bash(f"bash egs/mini/local/run_voice.sh --corpus {tmp_path}")
    assert result.returncode == 2
    assert "make_corpus.py" in result.stderr
    (tmp_path / "manifest.jsonl").touch()
    for wrong, said in (
        (f"--start_from {tmp_path}", "--start_from names a model directory"),
        ("--nproc 1 --nproc_train 2", "expected 1 to 1"),
        (f"--tts_config {tmp_path}/none.yaml", "no file"),
    ):
        result = run_bash(f"bash egs/mini/local/run_voice.sh --corpus {tmp_path} {wrong}")
        assert result.returncode == 2
        assert said in result.stderr


def test_the_voice_that_ships_goes_on_on_another_corpus(tmp_path: Path) -> None:
    corpus, experiment = tmp_path / "corpus", tmp_path / "exp"
    run([sys.executable, LOCAL / "make_corpus.py", "--debug", "--hours", "0.03", "--out", corpus])
    command = [
        *("bash", LOCAL / "run_voice.sh", "--corpus", corpus, "--exp_dir", experiment),
        *("--heard", "flite", "--max_test", "2", "--nproc", "1", "--tts_args", FEW_STEPS),
        *("--start_from", ROOT / "latentspeech/models/tts"),
    ]
    run(command)
    scores = json.loads((experiment / "scores/scores.json").read_text())["synthesis"]
    errors = next(metric["value"] for metric in scores["metrics"] if metric["name"] == "WER-W")
    assert errors < 50  # two careful steps later it still reads
    assert "SIM-o" in (experiment / "model/README.md").read_text()
    checkpoint = experiment / "tts/checkpoints/step_00000002"
    made = checkpoint.stat().st_mtime_ns
    again = run(command)
    assert checkpoint.stat().st_mtime_ns == made
    assert "cuts_train" not in again


def run(command: list[str | Path]) -> str:
    """What a command prints; it must succeed."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    result = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix, "PYTHONPATH": str(ROOT)},
        timeout=TIMEOUT_S,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return result.stdout + result.stderr
