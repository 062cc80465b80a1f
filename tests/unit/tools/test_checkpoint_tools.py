"""tools/average_checkpoints.py and tools/inspect_checkpoint.py, as they are run."""

import contextlib
import io
import json
import runpy
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest
import torch
from safetensors.torch import load_file, save_file

from latentspeech.core.train.state.checkpoint import load_part, newest_checkpoint, read_state
from latentspeech.tts.model_directory import load_lm, load_tts
from recipes.tts.pack_model import pack_model
from tests.tiny_models import make_model_directory
from tests.tiny_runs import run_tiny

ROOT = Path(__file__).parents[3]
TRAIN = {"max_steps": 3, "log_every": 1, "ema_decay": 0.5, "checkpoint_every": 1}


def run_tool(name: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Runs a tool as a script, within this process, which has imported torch already."""
    path = str(ROOT / "tools" / f"{name}.py")
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", [path, *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as ended:
            code = int(ended.code or 0)
    return subprocess.CompletedProcess([name], code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model_directory(tmp_path_factory.mktemp("model"), max_prompt_s=8.0)


@pytest.fixture(scope="module")
def exp_dir(model: Path) -> Path:
    """A run with three checkpoints."""
    run_tiny(model.parent / "exp", model, 3, train=TRAIN)
    return model.parent / "exp"


def steps(exp_dir: Path) -> list[Path]:
    return sorted((exp_dir / "checkpoints").iterdir())


def test_mean_of_the_last_checkpoints_is_a_run(exp_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "mean"
    result = run_tool("average_checkpoints", exp_dir, "--last", 2, "--out", out)
    assert result.returncode == 0, result.stderr
    found = newest_checkpoint(out)
    assert found is not None
    assert found.state.step == 3
    for part in ("model", "ema"):
        first, second = (load_part(path, part) for path in steps(exp_dir)[-2:])
        for name, value in load_part(found.path, part).items():
            expected = (first[name].double() + second[name].double()) / 2
            torch.testing.assert_close(value.double(), expected, rtol=0, atol=1e-7)
    pack_model(out, tmp_path / "packed", "made up", "")
    assert load_lm(tmp_path / "packed").config == load_lm(exp_dir.parent / "model").config


def test_mean_of_named_checkpoints_and_of_models(exp_dir: Path, model: Path, tmp_path: Path):
    named = [steps(exp_dir)[0], steps(exp_dir)[2]]
    result = run_tool("average_checkpoints", *named, "--out", tmp_path / "mean")
    assert result.returncode == 0, result.stderr
    pack_model(exp_dir, tmp_path / "other", "made up", "")
    out = tmp_path / "both"
    result = run_tool("average_checkpoints", model, tmp_path / "other", "--out", out)
    assert result.returncode == 0, result.stderr
    weights = [path / "model.safetensors" for path in (model, tmp_path / "other", out)]
    one, two, mean = (load_file(path) for path in weights)
    for name, value in mean.items():
        assert value.dtype == one[name].dtype
        expected = ((one[name].double() + two[name].double()) / 2).to(value.dtype)
        assert torch.equal(value, expected), name
    load_tts(out)
    assert "mean of 2 models (model, other)" in (out / "README.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["EXP", "--last", "9"], "has 3 checkpoints; expected 9"),
        (["EXP"], "two sources or more"),
        (["MODEL", "NONE"], "no model directory at"),
        (["MODEL", "SMALL"], "different configurations"),
    ],
)
def test_what_cannot_be_averaged(
    exp_dir: Path, model: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    small = make_model_directory(tmp_path, layout="aligned")
    paths = {"EXP": exp_dir, "MODEL": model, "NONE": tmp_path / "none", "SMALL": small}
    given = [paths.get(name, name) for name in arguments]
    result = run_tool("average_checkpoints", *given, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_is_described_and_compared(exp_dir: Path, model: Path) -> None:
    first, last = steps(exp_dir)[0], steps(exp_dir)[2]
    result = run_tool("inspect_checkpoint", exp_dir, "--other", first, "--json")
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report["path"] == str(last)
    assert (report["step"], report["hashes"]) == (3, "match")
    assert report["config"]["train"]["max_steps"] == 3
    lm = load_lm(model)
    stored = load_part(last, "model")
    assert report["parts"]["model"]["values"] == sum(v.numel() for v in lm.state_dict().values())
    norm = sum(float(value.double().square().sum()) for value in stored.values()) ** 0.5
    assert report["parts"]["model"]["norm"] == pytest.approx(norm)
    changed = report["other"]["differences"]["model"]
    assert changed["changed_tensors"] > 0
    assert 0 < changed["relative_norm"] < 1
    assert changed["equal_tensors"] == sum("normalizers" in name for name in stored)
    same = json.loads(run_tool("inspect_checkpoint", model, "--other", model, "--json").stdout)
    assert same["other"]["differences"]["model"]["changed_tensors"] == 0
    assert same["kind"] == "tts"


def test_nan_and_damage_are_found(exp_dir: Path, model: Path, tmp_path: Path) -> None:
    weights = load_file(model / "model.safetensors")
    name = next(iter(weights))
    weights[name].view(-1)[0] = torch.nan
    (tmp_path / "nan").mkdir()
    save_file(weights, tmp_path / "nan/model.safetensors")
    (tmp_path / "nan/config.yaml").write_text((model / "config.yaml").read_text())
    result = run_tool("inspect_checkpoint", tmp_path / "nan")
    assert result.returncode == 1
    assert f"{name}: 1" in result.stdout
    copy = tmp_path / "step_00000003"
    copy.mkdir()
    for file in steps(exp_dir)[2].iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "ema.safetensors").write_bytes(
        b"x" * read_state(copy).files["ema.safetensors"].size_bytes
    )
    result = run_tool("inspect_checkpoint", copy)
    assert result.returncode == 2
    assert "ema.safetensors is not what was written" in result.stderr
