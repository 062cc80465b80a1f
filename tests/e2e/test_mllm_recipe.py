"""The recipe of models of pages at toy size, all three models, from pages to a packed model.

The shell's part is run with a python that only notes what it is asked for; then those programs run
one after the other in this process, because each start would load torch again.
"""

import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

import pytest
from PIL import Image

import latentvision
from latentspeech.core.eval.report import EvalReport
from tests.tiny_page_models import KINDS

ROOT = Path(__file__).parents[2]
NUM_STAGES = 9

pytestmark = pytest.mark.slow


def commands(folder: Path, kind: str) -> list[list[str]]:
    """The arguments of every `python -m` that a run of the recipe would start, in order."""
    noted = folder / f"commands-{kind}.jsonl"
    programs = folder / "programs"
    programs.mkdir(exist_ok=True)
    python = programs / "python"
    python.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"open({str(noted)!r}, 'a').write(json.dumps(sys.argv[1:]) + chr(10))\n"
        "print('run' if 'check' in sys.argv else '{}')\n"
    )
    python.chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    run = ["bash", str(ROOT / "egs/mllm/run.sh"), "--debug", "--model", kind, "--nproc", "1"]
    result = subprocess.run(
        [*run, f"--exp_dir={folder}/exp-{kind}", f"--data-dir={folder}/data-{kind}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path, "VIRTUAL_ENV": sys.prefix},
        timeout=120,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    assert result.stderr.count("== stage ") == NUM_STAGES
    return [json.loads(line) for line in noted.read_text().splitlines()]


@contextmanager
def arguments(*words: str) -> Iterator[None]:
    with mock.patch.object(sys, "argv", list(words)):
        yield


def run_all(noted: list[list[str]]) -> None:
    """Runs the programs in this process."""
    for dash, module, *words in noted:
        if dash != "-m" or module in ("recipes.lib.stage_record", "recipes.lib.plot_training"):
            continue
        try:
            with arguments(module, *words):
                runpy.run_module(module, run_name="__main__")
        except SystemExit as stop:
            if stop.code:
                raise RuntimeError(f"{module} {words} ended with code {stop.code}") from stop


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("mllm")
    for kind in KINDS:
        noted = commands(folder, kind)
        if kind == "transfusion":  # it shares the data of latent_lm
            (folder / "data-transfusion").rmdir()
            (folder / "data-transfusion").symlink_to(folder / "data-latent_lm")
            noted = noted[stage(noted, "mllm") :]
        if kind != "latent_lm":  # to score takes the longest, and is the same for all
            noted = noted[: stage(noted, "recipes.mllm.07_score")]
        run_all(noted)
    return folder


def stage(noted: list[list[str]], word: str) -> int:
    """The place of the first command that has this word."""
    return next(place for place, line in enumerate(noted) if word in line)


@pytest.mark.parametrize("kind", KINDS)
def test_every_model_trains_and_draws(folder: Path, kind: str) -> None:
    exp_dir = folder / f"exp-{kind}"
    lines = [json.loads(line) for line in (exp_dir / "pages/metrics.jsonl").open()]
    assert [line["step"] for line in lines if "train/loss" in line] == [5, 10, 15, 20]
    names = {path.relative_to(exp_dir / "samples").as_posix() for path in exp_dir.rglob("0*.png")}
    assert names == {f"cfg_{scale}/{number:05d}.png" for scale in (1, 2) for number in range(8)}


def test_a_model_is_scored_and_packed(folder: Path) -> None:
    exp_dir = folder / "exp-latent_lm"
    report = EvalReport.read(exp_dir / "scores/pages.json")
    keys = {metric.key for metric in report.metrics}
    expected = {"text-nats-byte", "picture-to-text-nats-token", "cider-d", "answers-right-yes-no"}
    assert expected < keys
    sweep = json.loads((exp_dir / "scores/sweep.json").read_text())
    assert "8 images; expected at least 20" in sweep["holes"]["KID-EffLite0"]
    card = (exp_dir / "model/README.md").read_text()
    for words in ("kind latent_lm", "toy pages that the recipe makes", "CIDEr-D", "## Not for"):
        assert words in card
    results = (exp_dir / "RESULTS.md").read_text()
    for words in ("commit:", "hardware:", "Picture to text, nats a byte", "gallery.png", "PSNR"):
        assert words in results
    with Image.open(exp_dir / "gallery.png") as picture:
        picture.verify()
    writer = latentvision.load_multimodal(exp_dir / "model")
    assert writer.draw("a disc", num_steps=2).pixels.shape == (1, 3, 16, 16)


def test_twins_share_pages_backbone_and_steps(folder: Path) -> None:
    configs = [
        latentvision.load_multimodal(folder / f"exp-{kind}/page_model").description
        for kind in KINDS
    ]
    assert all(c.model.backbone == configs[0].model.backbone for c in configs)
    assert len({config.row_length for config in configs}) == 1


def test_models_side_by_side(folder: Path) -> None:
    runs = [f"{name}={folder}/exp-latent_lm" for name in ("one", "other")]
    run_all([["-m", "recipes.mllm.compare", *runs, "--out", str(folder / "RESULTS.md")]])
    text = (folder / "RESULTS.md").read_text()
    for words in ("| other |", "CIDEr-D", "| VQ-MLLM | paper | 2.79", "curves.png"):
        assert words in text
    with Image.open(folder / "curves.png") as picture:
        picture.verify()
