"""Starting a codec run from the weights of another codec."""

from pathlib import Path

import pytest
import torch

from latentspeech.codec.convnext import ConvNeXtConfig
from latentspeech.codec.model import Codec, CodecConfig
from latentspeech.codec.model_directory import save_codec
from latentspeech.core.errors import CheckpointError
from latentspeech.training.codec_run import StartFromConfig, _start_from

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
