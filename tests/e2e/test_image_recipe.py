"""The image recipe at toy size, from a folder of pictures to scores: killed once, started again."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from PIL import Image

from latentvision.images.writing import read_provenance

ROOT = Path(__file__).parents[2]
NUM_STAGES = 11
TIMEOUT_S = 600

pytestmark = pytest.mark.slow


def environment() -> dict[str, str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix}


def command(folder: Path, *options: str) -> list[str]:
    run = ["bash", str(ROOT / "egs/fashion/run.sh"), "--debug", "--nproc", "1", *options]
    run += ["--copy_metrics", "psnr ssim", "--metrics", "fd-efficientnet accuracy recognised"]
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


def kill_in_training(folder: Path) -> None:
    """Starts the recipe and kills its process group once the tokenizer has a checkpoint."""
    log_path = folder / "killed.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(
            command(folder),
            stdout=log,
            stderr=subprocess.STDOUT,
            env=environment(),
            start_new_session=True,
        )
    deadline = time.monotonic() + TIMEOUT_S
    try:
        while not list((folder / "data/tokenizer/checkpoints").glob("step_*/state.json")):
            assert process.poll() is None, log_path.read_text()[-4000:]
            assert time.monotonic() < deadline, "no checkpoint of the tokenizer in time"
            time.sleep(0.02)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("image")
    kill_in_training(folder)
    result = run_recipe(folder)
    assert "going on from" in result.stderr
    assert "done before and unchanged" in result.stderr
    return folder


def test_training_lost_no_step(folder: Path) -> None:
    lines = (folder / "data/tokenizer/metrics.jsonl").read_text().splitlines()
    steps = [json.loads(line)["step"] for line in lines if "train/pixels_l2" in line]
    assert steps == [5, 10, 15, 20]


def test_it_draws_every_class_at_every_scale(folder: Path) -> None:
    samples = folder / "exp/samples"
    names = {path.relative_to(samples).parent.as_posix() for path in samples.rglob("*.png")}
    classes = ("cross", "disc", "square")
    assert names == {f"cfg_{scale}/{name}" for scale in (1, 2) for name in classes}
    assert len(list(samples.rglob("*.png"))) == 2 * 3 * 4
    with Image.open(samples / "cfg_2/disc/00003.png") as picture:
        assert picture.size == (32, 32)
    assert (
        "class 1, cfg_scale 2, seed 0"
        in read_provenance(samples / "cfg_2/disc/00003.png")["Comment"]
    )


def test_results_and_card_hold_what_was_measured(folder: Path) -> None:
    results = (folder / "exp/RESULTS.md").read_text()
    for word in ("command:", "commit:", "hardware:", "PSNR", "SSIM", "Recognised", "gallery.png"):
        assert word in results
    sweep = json.loads((folder / "exp/scores/sweep.json").read_text())
    assert "30 images; expected more than 1280" in sweep["holes"]["FD-EffLite0"]
    assert set(sweep["values"]["Accuracy"]) == {"1", "2"}
    card = (folder / "exp/model/README.md").read_text()
    assert "Classes: cross, disc, square." in card
    assert "data: toy pictures that the recipe makes" in card
    assert "## Not for" in card
    for name in ("gallery.png", "neighbours.png", "scores/sweep.png", "generator_curves.png"):
        with Image.open(folder / "exp" / name) as picture:
            picture.verify()
    neighbours = json.loads((folder / "exp/neighbours.json").read_text())
    assert len(neighbours["by_pixels"]) == 16 - 4  # there are but twelve samples at a scale
    assert neighbours["num_training"] == 90


def test_the_model_directory_draws(folder: Path) -> None:
    program = [sys.executable, "-m", "latentvision.cli.main", "sample", "--quiet"]
    arguments = ["--model", str(folder / "exp/model"), "--label", "disc", "--num", "4"]
    out = folder / "grid.png"
    subprocess.run([*program, *arguments, "--out", str(out)], cwd=ROOT, check=True, timeout=120)
    assert "class disc" in read_provenance(out)["Comment"]


def test_a_second_run_skips_everything(folder: Path) -> None:
    result = run_recipe(folder)
    # Stage 0 looks at the machine each time.
    assert result.stderr.count("done before and unchanged") == NUM_STAGES - 1
