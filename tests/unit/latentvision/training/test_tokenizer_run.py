"""A run from its YAML file to a model directory: data, resume, several threads of loading."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from latentspeech.core.config import load_config
from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.train.state.checkpoint import load_part, newest_checkpoint
from latentvision.tokenizer.model_directory import load_tokenizer
from latentvision.training.pack_tokenizer import pack_tokenizer
from latentvision.training.tokenizer_run import TokenizerRunConfig, run_tokenizer
from tests.tiny_pictures import make_folder, make_tars
from tests.tiny_tokenizer import random_images, tiny_config


def write_run(folder: Path, **changes: Any) -> Path:
    """The YAML file of a run on 13 pictures."""
    if not (folder / "tars").exists():
        make_tars(folder / "tars", count=13)
        make_folder(folder / "pictures")
    values: dict[str, Any] = {
        "exp_dir": str(folder / "exp"),
        "tokenizer": tiny_config().model_dump(mode="json"),
        "loss": {
            "discriminator_start_step": 2,
            "discriminator": {"channels": 4, "num_layers": 2},
        },
        "data": {
            "batch_size": 3,
            "window_shards": 2,
            "train_source": {"kind": "tar", "location": str(folder / "tars")},
            "valid_source": {"kind": "folder", "path": str(folder / "pictures")},
        },
        "train": {"max_steps": 6, "log_every": 1, "validate_every": 3},
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(values | changes))
    return path


def checkpoint_of(folder: Path, part: Any) -> dict[str, torch.Tensor]:
    found = newest_checkpoint(folder)
    assert found is not None
    return load_part(found.path, part)


def test_a_run_resumes_bit_for_bit_with_and_without_workers(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    run_tokenizer(load_config(TokenizerRunConfig, path))
    for steps, workers in ((2, 0), (6, 2)):
        changes = [f"train.max_steps={steps}", f"train.num_workers={workers}"]
        run_tokenizer(load_config(TokenizerRunConfig, path, [*changes, f"exp_dir={tmp_path}/two"]))
    for part in ("model", "ema", "optimizer"):
        one, other = (checkpoint_of(tmp_path / name, part) for name in ("exp", "two"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[name], other[name]) for name in one)
    log = [json.loads(line) for line in (tmp_path / "exp" / "metrics.jsonl").open()]
    scores = [line for line in log if "valid/psnr_db" in line]
    assert [line["step"] for line in scores] == [3, 6]
    assert "train/discriminator" in log[-2] or "train/discriminator" in log[-1]


def test_a_run_becomes_a_model_directory(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    (tmp_path / "exp").mkdir()
    (tmp_path / "exp" / "config.yaml").write_text(path.read_text())
    with pytest.raises(CheckpointError, match="no checkpoint"):
        pack_tokenizer(tmp_path / "exp", tmp_path / "model")
    run_tokenizer(load_config(TokenizerRunConfig, path))
    pack_tokenizer(tmp_path / "exp", tmp_path / "model")
    tokenizer = load_tokenizer(tmp_path / "model")
    averages = checkpoint_of(tmp_path / "exp", "ema")
    for name, tensor in tokenizer.state_dict().items():
        assert torch.allclose(tensor, averages[name], rtol=1e-3, atol=1e-6)
    assert tokenizer.encode(random_images(1)).shape == (1, 16, 5)
    card = (tmp_path / "model" / "README.md").read_text()
    assert "6 steps of 3 images" in card
    assert "valid/psnr_db" in card


def test_the_encoder_starts_from_a_checkpoint_that_is_there(tmp_path: Path) -> None:
    path = write_run(tmp_path, beit3=str(tmp_path / "none.pth"))
    with pytest.raises(CheckpointError, match="BEiT-3 checkpoint not found"):
        run_tokenizer(load_config(TokenizerRunConfig, path))


def test_a_wrong_setting_names_the_nearest_one(tmp_path: Path) -> None:
    path = write_run(tmp_path)
    with pytest.raises(ConfigError, match="did you mean 'perceptual_weight'"):
        load_config(TokenizerRunConfig, path, ["loss.perceptual_wieght=1"])
    with pytest.raises(ConfigError, match="source"):
        load_config(TokenizerRunConfig, path, ["data.train_source={kind: film}"])
