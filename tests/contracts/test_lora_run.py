"""A run with adapters: what it saves, that it resumes bit for bit, and that it packs plainly."""

from pathlib import Path

import pytest
import torch

from latentspeech.core.errors import ConfigError
from latentspeech.core.train.state.checkpoint import load_part, newest_checkpoint
from latentspeech.tts.model import LayoutKind
from latentspeech.tts.model_directory import load_lm
from recipes.tts.pack_model import pack_model
from tests.tiny_models import make_model_directory
from tests.tiny_runs import run_tiny

LORA = {"rank": 2, "alpha": 8.0, "head": True, "dropout": 0.1}


def tensors(exp_dir: Path) -> dict[str, dict[str, torch.Tensor]]:
    found = newest_checkpoint(exp_dir)
    assert found is not None
    return {part: load_part(found.path, part) for part in ("model", "ema", "optimizer")}


def test_two_steps_and_two_more_equal_four(tmp_path: Path) -> None:
    model = make_model_directory(tmp_path)
    run_tiny(tmp_path / "whole", model, 4, lora=LORA)
    run_tiny(tmp_path / "parts", model, 2, lora=LORA)
    torch.manual_seed(99)
    run_tiny(tmp_path / "parts", model, 4, lora=LORA)
    whole, parts = tensors(tmp_path / "whole"), tensors(tmp_path / "parts")
    for part, values in whole.items():
        assert values.keys() == parts[part].keys()
        assert all(torch.equal(value, parts[part][name]) for name, value in values.items()), part
    assert all("lora_" in name for part in ("ema", "optimizer") for name in whole[part])
    assert len(whole["optimizer"]) == 3 * len(whole["ema"])  # two moments and a step each


@pytest.mark.parametrize("layout", ["sentence", "aligned"])
@pytest.mark.parametrize("lora", [None, LORA])
def test_a_run_from_a_model_packs_into_one_like_it(
    tmp_path: Path, layout: LayoutKind, lora: dict[str, float] | None
) -> None:
    model = make_model_directory(tmp_path, layout)
    exp_dir = tmp_path / "exp"
    run_tiny(exp_dir, model, 3, layout, lora=lora)
    start = load_lm(model).state_dict()
    packed = {}
    for weights in ("ema", "model"):
        pack_model(exp_dir, tmp_path / weights, "made up", "", weights=weights)
        packed[weights] = load_lm(tmp_path / weights).state_dict()
        assert packed[weights].keys() == start.keys()
    changed = {name for name, value in packed["model"].items() if not value.equal(start[name])}
    assert changed
    assert not all(value.equal(packed["ema"][name]) for name, value in packed["model"].items())
    if lora:
        assert not any("embedding" in name or "norm" in name for name in changed)
    # The checkpoint's own weights, adapters not merged, are those of the model it started from.
    for name, value in tensors(exp_dir)["model"].items():
        if lora and "lora_" not in name:
            assert value.equal(start[name.removeprefix("model.").replace(".base_layer", "")])


def test_adapters_on_random_weights_are_refused(tmp_path: Path) -> None:
    model = make_model_directory(tmp_path)
    with pytest.raises(ConfigError, match="start_from"):
        run_tiny(tmp_path / "exp", model, 1, lora=LORA, start_from=None)
