"""local/run_voice.sh on a minute of speech: what it refuses, a run on from the voice that ships."""

import json
from pathlib import Path

import pytest

from tests.unit.recipes.shell import run_bash

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
    assert "egs.mini.local.corpus.make" in result.stderr
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
    run(f"python -m egs.mini.local.corpus.make --debug --hours 0.02 --out {corpus}")
    command = (
        f"bash egs/mini/local/run_voice.sh --corpus {corpus} --exp_dir {experiment} --heard flite "
        f"--max_test 2 --nproc 1 --tts_metrics wer-w,sim-ge2e-o --tts_args '{FEW_STEPS}' "
        "--start_from latentspeech/models/tts"
    )
    assert "cuts_train" in run(command)
    scores = json.loads((experiment / "scores/scores.json").read_text())["synthesis"]
    errors = next(metric["value"] for metric in scores["metrics"] if metric["name"] == "WER-W")
    assert errors < 50  # two careful steps later it still reads
    assert "SIM-o" in (experiment / "model/README.md").read_text()


def run(command: str) -> str:
    """What a command prints; it must succeed."""
    result = run_bash(command, timeout_s=900)
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return result.stdout + result.stderr
