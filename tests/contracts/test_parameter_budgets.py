"""The paper's sizes, counted on the meta device (Table 1, H.2 to H.5).

The paper prints rounded totals; where the expected value has more digits it was counted from the
printed widths, depths and head, so that a changed part shows.
"""

import pytest
import torch
from torch import nn

from latentspeech.codec.model import Codec
from latentspeech.codec.presets import codec_preset
from latentspeech.core.lm.config import LatentLMConfig, ModalityConfig
from latentspeech.core.lm.latent_lm import LatentLM
from latentspeech.core.nn.config import TransformerConfig
from latentspeech.core.nn.transformer import Transformer

NUM_CLASSES = 1001  # ImageNet and the null class


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def backbone(width: int, layers: int, heads: int, ffn_dim: int, kind: str) -> TransformerConfig:
    return TransformerConfig(
        model_dim=width,
        num_layers=layers,
        num_heads=heads,
        num_kv_heads=heads,
        head_dim=width // heads,
        ffn_dim=ffn_dim,
        ffn_kind=kind,
    )


def image_model(
    width: int, layers: int, heads: int, ffn_dim: int, head_layers: int, head_ffn_dim: int
) -> LatentLM:
    image = ModalityConfig(
        name="image",
        latent_dim=16,
        bod_id=NUM_CLASSES,
        eod_id=NUM_CLASSES + 1,
        slot_id=NUM_CLASSES + 2,
        head_layers=head_layers,
        head_ffn_dim=head_ffn_dim,
        num_latents=256,
    )
    config = LatentLMConfig(
        backbone=backbone(width, layers, heads, ffn_dim, "swiglu"),
        vocab_size=NUM_CLASSES + 3,
        modalities=(image,),
    )
    with torch.device("meta"):
        return LatentLM(config)


@pytest.mark.parametrize(
    ("width", "layers", "heads", "ffn_dim", "head_layers", "head_ffn_dim", "millions", "tolerance"),
    [
        (1024, 24, 16, 4096, 3, 4096, 455.4, 0.01),
        (1536, 24, 12, 6144, 3, 6144, 1024.0, 0.01),
        (2048, 24, 16, 8192, 3, 8192, 1819.0, 0.01),
        (2560, 32, 20, 10240, 3, 10240, 3680.0, 0.01),
        (1024, 32, 16, 2730, 6, 2730, 477.4, 0.005),
    ],
    ids=["medium", "large", "xl", "3b", "table 1"],
)
def test_image_latent_lm(
    width: int,
    layers: int,
    heads: int,
    ffn_dim: int,
    head_layers: int,
    head_ffn_dim: int,
    millions: float,
    tolerance: float,
) -> None:
    model = image_model(width, layers, heads, ffn_dim, head_layers, head_ffn_dim)
    assert count(model) == pytest.approx(millions * 1e6, rel=tolerance)


@pytest.mark.parametrize(
    ("config", "millions"),
    [
        (backbone(1024, 24, 16, 4096, "gelu"), 302.0),
        (backbone(2048, 24, 16, 6144, "swiglu"), 1309.0),
    ],
    ids=["tts", "mllm"],
)
def test_backbones(config: TransformerConfig, millions: float) -> None:
    with torch.device("meta"):
        assert count(Transformer(config)) == pytest.approx(millions * 1e6, rel=0.01)


@pytest.mark.parametrize(
    ("reduction", "latent_dim", "frame_rate", "millions"),
    [
        (640, 16, 37.5, 119.39),
        (1600, 32, 15.0, 119.61),
        (3200, 64, 7.5, 119.84),
        (6400, 128, 3.75, 121.10),
    ],
)
def test_codecs(reduction: int, latent_dim: int, frame_rate: float, millions: float) -> None:
    with torch.device("meta"):
        codec = Codec(codec_preset(reduction))
    assert codec.config.latent_dim == latent_dim
    assert codec.config.hop_length == reduction
    assert codec.config.frame_rate == frame_rate
    assert count(codec.encoder) == pytest.approx(millions * 1e6, rel=1e-4)
    assert count(codec.encoder) == pytest.approx(120e6, rel=0.01)  # what the paper prints
    assert count(codec.decoder) == pytest.approx(count(codec.encoder), rel=0.001)
    assert codec.config.encoder.channels == (32, 64, 128, 256, 512, 1024)


@pytest.mark.parametrize("reduction", [640, 1600, 3200, 6400])
def test_mini_codecs_have_the_same_latents(reduction: int) -> None:
    mini, paper = codec_preset(reduction, "mini"), codec_preset(reduction)
    assert (mini.hop_length, mini.latent_dim) == (paper.hop_length, paper.latent_dim)
    with torch.device("meta"):
        assert count(Codec(mini)) < 10e6
