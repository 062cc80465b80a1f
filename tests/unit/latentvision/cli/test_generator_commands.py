"""`latentvision train KIND`, `pack` and `sample`: results, and one line for every wrong input."""

import json
from pathlib import Path

import pytest
import yaml

from latentvision.images.reading import read_picture
from latentvision.images.writing import read_provenance
from latentvision.training.pack_generator import pack_generator
from tests.tiny_image_runs import tiny_run, train_tiny
from tests.unit.latentvision.cli.test_vision_commands import fails, latentvision


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("model")
    pack_generator(train_tiny(folder, "dit", max_steps=2).exp_dir, folder / "shapes")
    return folder / "shapes"


def test_train_pack_and_sample(tmp_path: Path) -> None:
    run = tiny_run(tmp_path, "vq", max_steps=2)
    config = tmp_path / "run.yaml"
    config.write_text(yaml.safe_dump(run.model_dump(mode="json")))
    code, out, _ = latentvision(
        "train", "vq", "--config", config, "--set", "train.seed=3", "--json"
    )
    assert code == 0
    result = json.loads(out)
    assert (result["step"], result["reason"]) == (2, "max_steps")
    assert latentvision("pack", run.exp_dir, tmp_path / "model", "--quiet") == (0, "", "")
    grid = tmp_path / "grid.png"
    code, out, _ = latentvision(
        *("sample", "--label", "sneaker", "--num", 3, "--out", grid, "--seed", 4, "--json"),
        *("--model", tmp_path / "model", "--cfg-scale", 2),
    )
    assert code == 0
    assert json.loads(out)["num"] == 3
    assert read_picture(grid).size == (34, 34)
    assert "class sneaker, seed 4" in read_provenance(grid)["Comment"]
    assert "cfg_scale 2.0" in read_provenance(grid)["Comment"]
    fails(
        "num_steps = 5 has no effect on a model of kind VQLM",
        *("sample", "--model", tmp_path / "model", "--out", grid, "--num-steps", 5),
    )
    fails("has model.kind vq; expected mar", "train", "mar", "--config", config)


def test_sample_is_the_same_for_a_seed(model: Path, tmp_path: Path) -> None:
    command = ("sample", "--label", "2", "--model", model, "--num-steps", 2, "--quiet")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        result = latentvision(*command, "--seed", seed, "--out", tmp_path / f"{name}.png")
        assert result == (0, "", "")
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c


def test_wrong_input_is_one_line(model: Path, tmp_path: Path) -> None:
    sample = ("sample", "--model", model, "--out", tmp_path / "x.png")
    fails("no class 'sneakr'; did you mean 'sneaker'?", *sample, "--label", "sneakr")
    fails("no class '7'; expected a number below 3", *sample, "--label", "7")
    fails("num is 0; expected at least 1", *sample, "--num", "0")
    fails("cfg_scale = -1.0", *sample, "--cfg-scale=-1")
    fails("does not end with .png", "sample", "--model", model, "--out", tmp_path / "x.jpg")
    fails("does not exist", "sample", "--model", model, "--out", tmp_path / "no" / "x.png")
    fails("no model directory at", "sample", "--model", tmp_path / "none", "--out", "x.png")
    fails("holds a model of kind 'image_tokenizer'", *("sample", "--model", model / "tokenizer"))
    fails("config file not found", "train", "lm", "--config", tmp_path / "none.yaml")
    fails("has no checkpoint; train there first", "pack", _empty_run(tmp_path), tmp_path / "out")
    assert not list(tmp_path.glob("*.png"))


def _empty_run(folder: Path) -> Path:
    run = tiny_run(folder, "dit")
    run.exp_dir.mkdir()
    (run.exp_dir / "config.yaml").write_text(yaml.safe_dump(run.model_dump(mode="json")))
    return run.exp_dir
