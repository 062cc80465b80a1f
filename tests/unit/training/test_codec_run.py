"""Codec runs: starting from another codec's weights, and a wanted ratio that beta can hold."""

from pathlib import Path

import pytest
import torch

from latentspeech.codec.config import CodecConfig, ConvNeXtConfig
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import save_codec
from latentspeech.core.config import parse_config
from latentspeech.core.errors import CheckpointError, ConfigError
from latentspeech.training.codec_run import CodecRunConfig, StartFromConfig, _start_from

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
