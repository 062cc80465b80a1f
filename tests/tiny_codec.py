"""A codec with a further decoder and random weights, made in milliseconds, for tests."""

from pathlib import Path

import torch

from latentspeech.codec.config import (
    CodecConfig,
    ConvNeXtConfig,
    HarmonicDecoderConfig,
    StftEncoderConfig,
)
from latentspeech.codec.model import Codec
from latentspeech.codec.model_directory import save_codec, save_decoder

MIRRORED = ConvNeXtConfig(
    strides=(4, 20, 20), base_channels=2, depths=(0, 1, 1, 1), layer_scale=0.5
)
OWN = HarmonicDecoderConfig(
    latent_channels=12, latent_depth=1, frame_channels=8, frame_depth=1, layer_scale=0.5
)
CODEC = CodecConfig(
    latent_dim=4,
    encoder=StftEncoderConfig(
        frame_channels=8,
        frame_depth=1,
        latent_channels=12,
        cepstrum_lags=(40, 480),
        layer_scale=0.5,
    ),
    decoder=OWN,
    lookahead_samples=OWN.lookahead_samples,
)


def make_codec(seed: int = 0, decoder_seed: int = 1, config: CodecConfig = CODEC) -> Codec:
    """Makes a codec; `seed` determines its encoder, `decoder_seed` its decoder."""
    torch.manual_seed(seed)
    codec = Codec(config)
    torch.manual_seed(decoder_seed)
    other = Codec(config)
    codec.decoder.load_state_dict(other.decoder.state_dict())
    return codec.eval()


def make_codec_directory(directory: Path, further: tuple[str, ...] = ("mirrored",)) -> Path:
    """Writes `directory`/codec with further decoders of these names; returns it."""
    path = directory / "codec"
    path.mkdir()
    save_codec(make_codec(), path, "# tiny\n")
    other = CODEC.model_copy(update={"decoder": MIRRORED})
    for number, name in enumerate(further):
        save_decoder(make_codec(0, 2 + number, other), path, name, "# tiny\n")
    return path
