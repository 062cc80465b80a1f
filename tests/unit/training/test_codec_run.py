"""Codec runs: the weights they start from, a ratio that beta can hold, stages of the recipe."""

import json
from pathlib import Path

import pytest
import torch

from latentspeech.codec.config import CodecConfig, ConvNeXtConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import load_codec_module, save_codec
from latentspeech.core.config import parse_config
from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.core.train.state.checkpoint import load_part, newest_checkpoint
from latentspeech.training.codec_run import (
    CodecRunConfig,
    StartFromConfig,
    _start_from,
    run_codec,
)
from tests.tiny_codec_run import at_debug_size

SIDE = ConvNeXtConfig(strides=(4, 5), base_channels=4, depths=(0, 1, 1))


def codec(decoder: ConvNeXtConfig = SIDE) -> Codec:
    return Codec(CodecConfig(latent_dim=4, encoder=SIDE, decoder=decoder))


@pytest.fixture
def trained(tmp_path: Path) -> tuple[Codec, Path]:
    torch.manual_seed(1)
    other = codec()
    save_codec(other, tmp_path, "card")
    return other, tmp_path


def test_only_the_named_parts_are_taken_over(trained: tuple[Codec, Path]) -> None:
    other, folder = trained
    torch.manual_seed(2)
    mine = codec(SIDE.model_copy(update={"depths": (0, 2, 2)}))
    before = {name: value.clone() for name, value in mine.decoder.state_dict().items()}
    _start_from(mine, StartFromConfig(codec=folder, parts=("encoder",)))
    for name, value in mine.encoder.state_dict().items():
        # A model directory holds half precision.
        assert torch.equal(value, other.encoder.state_dict()[name].half().float())
    assert all(
        torch.equal(value, before[name]) for name, value in mine.decoder.state_dict().items()
    )


def test_parts_of_another_size_are_refused(trained: tuple[Codec, Path]) -> None:
    mine = codec(SIDE.model_copy(update={"depths": (0, 2, 2)}))
    with pytest.raises(CheckpointError, match=r"the decoder of .* does not fit"):
        _start_from(mine, StartFromConfig(codec=trained[1]))


@pytest.mark.parametrize("posterior", [{"sigma_std": 0.625, "beta": 0.0}, {"sigma_std": 0.0}])
def test_a_wanted_ratio_needs_beta_and_noise(posterior: dict[str, float]) -> None:
    values = {
        "exp_dir": "exp",
        "codec": {"posterior": posterior},
        "data": {"train_cuts": "train", "valid_cuts": "dev"},
        "train": {"max_steps": 1},
    }
    parse_config(CodecRunConfig, values)
    with pytest.raises(ConfigError, match="set both above 0"):
        parse_config(CodecRunConfig, {**values, "loss": {"log_sigma_ratio": 1.0}})


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["codec_default_adversarial.yaml", "codec_default_adversarial_small.yaml"]
)
def test_the_stage_against_discriminators_trains_the_decoder_alone(
    name: str, tmp_path: Path
) -> None:
    run = at_debug_size(name, tmp_path)
    assert run_codec(run).step == 3
    rows = [json.loads(line) for line in (run.exp_dir / "metrics.jsonl").read_text().splitlines()]
    for key in ("train/adversarial", "train/feature_matching", "train/discriminator"):
        assert any(key in row for row in rows), key
    checkpoint = newest_checkpoint(run.exp_dir)
    assert checkpoint is not None
    assert run.start_from is not None
    before = load_codec_module(run.start_from.codec).state_dict()
    after = load_part(checkpoint.path, "model")
    for key, value in before.items():
        fixed = torch.equal(after[f"codec.{key}"], value)
        assert fixed == key.startswith("encoder."), key
