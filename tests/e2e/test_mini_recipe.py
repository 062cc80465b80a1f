"""The whole mini recipe at toy size: killed once while the codec trains, started again, used."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latentspeech.audio.io import load_audio
from latentspeech.codec.model_directory import load_codec_module

ROOT = Path(__file__).parents[2]
NUM_STAGES = 10
TIMEOUT_S = 900

pytestmark = pytest.mark.slow


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix}


def command(folder: Path, *options: str) -> list[str]:
    run = ["bash", str(ROOT / "egs/mini/run.sh"), "--debug", *options]
    return [*run, f"--exp_dir={folder}/exp", "--data-dir", f"{folder}/data"]


def run_recipe(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    result = subprocess.run(
        command(folder, *options),
        capture_output=True,
        text=True,
        env=environment(),
        timeout=TIMEOUT_S,
        check=False,
    )
    assert result.returncode == 0, result.stdout[-2000:] + result.stderr[-4000:]
    return result


def kill_in_codec_training(folder: Path) -> None:
    """Starts the recipe and kills its whole process group once a checkpoint is there."""
    log_path = folder / "killed.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(
            command(folder),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,
        )
    checkpoints = folder / "exp/codec/checkpoints"
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while not list(checkpoints.glob("step_*/state.json")):
            assert process.poll() is None, log_path.read_text()[-4000:]
            assert time.monotonic() < deadline, "no checkpoint of the codec in time"
            time.sleep(0.02)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recipe's folders after a kill and a second run to the end."""
    folder = tmp_path_factory.mktemp("mini")
    kill_in_codec_training(folder)
    assert not (folder / "exp/stages/03_train_codec/done.json").exists()
    result = run_recipe(folder)
    assert "going on from" in result.stderr
    assert "done before and unchanged" in result.stderr  # the corpus was not made again
    for name in ("wav:", "table of scores:", "model directory:"):
        assert name in result.stdout
    return folder


def test_it_speaks(folder: Path) -> None:
    audio = load_audio(folder / "exp/sample.wav", 24000)
    assert len(audio) > 2400
    assert float(audio.abs().max()) > 0


def test_training_lost_no_step(folder: Path) -> None:
    lines = (folder / "exp/codec/metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines if "train/mel_l1" in line]
    assert steps == sorted(set(steps))
    assert steps[-1] == 60


def test_scores_cover_codec_and_synthesis(folder: Path) -> None:
    codec = json.loads((folder / "exp/codec_check/scores.json").read_text())
    names = {metric["name"] for metric in codec["metrics"]}
    assert names == {"Mel-DAC-class", "PESQ-WB", "STOI", "ViSQOL-speech", "Mel", "SI-SDR"}
    assert all(metric["num_scored"] == 4 for metric in codec["metrics"])
    scores = json.loads((folder / "exp/scores/scores.json").read_text())
    assert set(scores) == {"synthesis", "recordings", "equalized copies", "codec copies"}
    recordings = {metric["name"]: metric["value"] for metric in scores["recordings"]["metrics"]}
    assert recordings["WER-W"] < 60  # real speech is understood, so the texts belong to it
    results = (folder / "exp/RESULTS.md").read_text()
    for word in ("command:", "commit:", "hardware:", "PESQ-WB", "WER-W", "codec_curves"):
        assert word in results


def test_the_model_directory_is_complete_and_speaks(folder: Path) -> None:
    model = folder / "exp/model"
    names = {path.name for path in model.iterdir()}
    assert names == {"config.yaml", "model.safetensors", "README.md", "tokenizer", "codec"}
    assert load_codec_module(model / "codec").config.hop_length == 1600
    assert "PESQ-WB" in (model / "README.md").read_text()
    prompt = next((folder / "exp/synthesis/prompt").rglob("*.wav"))
    spoken = []
    for out in (folder / "one.wav", folder / "two.wav"):
        arguments = ["--prompt", str(prompt), "--text", "Hello.", "--out", str(out), "--seed", "3"]
        program = [sys.executable, "-m", "latentspeech.cli.main", "synth", "--model", str(model)]
        subprocess.run([*program, *arguments], env=environment(), cwd=ROOT, check=True, timeout=120)
        spoken.append(out.read_bytes())
    assert spoken[0] == spoken[1]


def test_a_second_run_skips_everything(folder: Path) -> None:
    result = run_recipe(folder)
    # Stage 0 looks at the machine each time.
    assert result.stderr.count("done before and unchanged") == NUM_STAGES - 1
