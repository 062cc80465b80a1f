"""The codec sizes of the paper (H.5.1, Tables 5 and 8), their mini twins, and the default codec's.

The strides are the paper's; for 640x it prints none, so ours only keep the product. It does not
print the depths either: 3-3-3-3-3-12 gives the stated 120 million parameters of encoder and decoder
each. The mini twins have the same strides and latents at a width that a laptop trains.

The default codec is the fast encoder and decoder at 1600x. The mini twin's decoder of the same
ratio can read its latents too.
"""

from typing import Literal

from latentspeech.codec.config import (
    SIGMA_STD,
    CodecConfig,
    ConvNeXtConfig,
    HarmonicDecoderConfig,
    StftEncoderConfig,
)
from latentspeech.core.errors import ConfigError
from latentspeech.core.latents.config import SigmaVAEConfig

_STRIDES_AND_DIM: dict[int, tuple[tuple[int, ...], int]] = {
    640: ((2, 2, 4, 5, 8), 16),
    1600: ((2, 4, 5, 5, 8), 32),
    3200: ((4, 4, 5, 5, 8), 64),
    6400: ((4, 5, 5, 8, 8), 128),
}


def codec_preset(reduction: int, size: Literal["paper", "mini"] = "paper") -> CodecConfig:
    """The configuration for one token reduction ratio: 640, 1600, 3200 or 6400."""
    if reduction not in _STRIDES_AND_DIM:
        raise ConfigError(f"no codec preset for {reduction}x; known: {sorted(_STRIDES_AND_DIM)}")
    strides, latent_dim = _STRIDES_AND_DIM[reduction]
    side = ConvNeXtConfig(strides=strides)
    if size == "mini":
        side = ConvNeXtConfig(
            strides=strides, base_channels=8, depths=(0, 1, 1, 2, 2, 4), layer_scale=0.1
        )
    return CodecConfig(latent_dim=latent_dim, encoder=side, decoder=side)


def default_codec(decoder: Literal["harmonic", "mirrored"] = "harmonic") -> CodecConfig:
    """The sizes of the codec that ships, with its own decoder or the paper's kind."""
    own = HarmonicDecoderConfig(latent_depth=2, frame_depth=5, layer_scale=0.1)
    return CodecConfig(
        latent_dim=32,
        encoder=StftEncoderConfig(cepstrum_lags=(40, 480), layer_scale=0.1),
        decoder=own if decoder == "harmonic" else codec_preset(1600, "mini").decoder,
        lookahead_samples=own.lookahead_samples,
        posterior=SigmaVAEConfig(sigma_std=SIGMA_STD, beta=0.1),
    )
