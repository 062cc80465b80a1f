"""The settings of the codec: its encoders, decoders and posterior.

They need no torch, since a codec also runs in ONNX Runtime (codec/onnx).
"""

import math
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from latentspeech.core.config import Config
from latentspeech.core.latents.config import SigmaVAEConfig

# Full-scale speech does not reach magnitudes of e^5 = 148 in its windowed spectrum.
MAX_LOG_MAGNITUDE = 5.0
# Magnitudes below this (a full-scale sine has about W / 4) are as good as silence.
SPECTRUM_FLOOR = 1e-3
# Log magnitudes of speech lie around 0 with a deviation of about 3.
SPECTRUM_SCALE = 1 / 3
# A pitch that changes by more than this from one frame to the next has jumped, not glided.
MAX_GLIDE = 0.1
# Standard deviation, in cents, of the weights of bins around the most likely one in the estimate.
NEAR_CENTS = 60.0
# Factor that sharpens the distribution: its mean is then the most likely pitch, yet continuous.
PITCH_SHARPNESS = 8.0
# In voiced frames training starts with the free spectrum well below the filtered pulses. Were they
# equally strong, they would cancel in some places and add up in others, and no gradient would tell
# them apart.
VOICED_ATTENUATION = 3.0

SIGMA_STD = 0.625  # the posterior's for speech; E|sigma| is 0.5


class ConvNeXtConfig(Config):
    """The shape of one side of the codec; the other side mirrors it."""

    kind: Literal["convnext"] = Field("convnext", description="which decoder this is")
    strides: tuple[int, ...] = Field(
        (2, 4, 5, 5, 8), description="down-sampling factors from the waveform on"
    )
    base_channels: int = Field(
        32, ge=1, description="channels at the sample rate; each stride doubles them"
    )
    depths: tuple[int, ...] = Field(
        (3, 3, 3, 3, 3, 12), description="blocks per stage, from the sample rate on"
    )
    ffn_factor: int = Field(
        4, ge=1, description="inner width of a block as a multiple of its channels"
    )
    kernel_size: int = Field(
        7, ge=2, description="kernel size of depthwise, stem and head convolutions"
    )
    layer_scale: float = Field(1e-6, gt=0, description="initial output scale of a block")

    @model_validator(mode="after")
    def _check(self) -> "ConvNeXtConfig":
        if len(self.depths) != len(self.strides) + 1:
            raise ValueError(
                f"{len(self.strides)} strides make {len(self.strides) + 1} stages, "
                f"but depths has {len(self.depths)}"
            )
        if min(self.strides) < 1 or min(self.depths) < 0:
            raise ValueError("strides must be at least 1 and depths at least 0")
        return self

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of each stage, doubling with every stride."""
        return tuple(self.base_channels * 2**i for i in range(len(self.depths)))

    @property
    def total_stride(self) -> int:
        """Samples per latent."""
        return math.prod(self.strides)


class StftEncoderConfig(Config):
    """Sizes of the fast encoder; hop_length * downsampling must be the codec's hop."""

    kind: Literal["stft"] = Field("stft", description="which encoder this is")
    window_length: int = Field(1600, ge=2, description="samples of a spectrum's window")
    hop_length: int = Field(200, ge=1, description="samples per frame")
    cepstrum_lags: tuple[int, int] | None = Field(
        None, description="first and last lag of the cepstrum, samples; null: no cepstrum"
    )
    frame_channels: int = Field(256, ge=1, description="width at the frames' rate")
    frame_depth: int = Field(4, ge=0, description="blocks at the frames' rate")
    downsampling: int = Field(8, ge=1, description="frames per latent")
    latent_channels: int = Field(384, ge=1, description="width at the latents' rate")
    latent_depth: int = Field(1, ge=0, description="blocks at the latents' rate")
    ffn_factor: int = Field(
        4, ge=1, description="inner width of a block as a multiple of its channels"
    )
    kernel_size: int = Field(
        7, ge=2, description="kernel size of the depthwise and head convolutions"
    )
    layer_scale: float = Field(1e-6, gt=0, description="initial output scale of a block")

    @model_validator(mode="after")
    def _check(self) -> "StftEncoderConfig":
        if self.window_length % self.hop_length:
            raise ValueError("window_length must be a multiple of hop_length")
        if self.cepstrum_lags is not None:
            first, last = self.cepstrum_lags
            if not 1 <= first <= last <= self.window_length // 2:
                raise ValueError("cepstrum_lags must rise within 1 and half the window_length")
        return self

    @property
    def total_stride(self) -> int:
        """Samples per latent."""
        return self.downsampling * self.hop_length


class IstftDecoderConfig(Config):
    """Sizes of the fast decoder; upsampling * hop_length must be the codec's hop."""

    kind: Literal["istft"] = Field("istft", description="which decoder this is")
    latent_channels: int = Field(384, ge=1, description="width at the latents' rate")
    latent_depth: int = Field(3, ge=0, description="blocks at the latents' rate")
    upsampling: int = Field(8, ge=1, description="frames per latent")
    frame_channels: int = Field(320, ge=1, description="width at the frames' rate")
    frame_depth: int = Field(6, ge=0, description="blocks at the frames' rate")
    hop_length: int = Field(200, ge=1, description="samples per frame")
    window_length: int = Field(800, ge=2, description="samples of the inverse STFT")
    ffn_factor: int = Field(
        4, ge=1, description="inner width of a block as a multiple of its channels"
    )
    kernel_size: int = Field(
        7, ge=2, description="kernel size of the depthwise and stem convolutions"
    )
    layer_scale: float = Field(1e-6, gt=0, description="initial output scale of a block")

    @model_validator(mode="after")
    def _check(self) -> "IstftDecoderConfig":
        if self.window_length % self.hop_length or self.window_length < 2 * self.hop_length:
            raise ValueError("window_length must be a multiple of hop_length, at least twice it")
        return self

    @property
    def total_stride(self) -> int:
        """Samples per latent."""
        return self.upsampling * self.hop_length

    @property
    def lookahead_samples(self) -> int:
        """How many samples a frame extends past the end of the latents that it is made from."""
        return self.window_length - self.hop_length


class PitchConfig(Config):
    """The range of pitch that a voice may have, and its resolution."""

    min_hz: float = Field(50.0, gt=0, description="lowest pitch, Hz")
    max_hz: float = Field(600.0, gt=0, description="highest pitch, Hz")
    bins: int = Field(180, ge=2, description="bins between them, of equal width in cents")

    @model_validator(mode="after")
    def _check(self) -> "PitchConfig":
        if self.min_hz >= self.max_hz:
            raise ValueError("min_hz must be below max_hz")
        return self


class HarmonicDecoderConfig(IstftDecoderConfig):
    """Sizes of the fast decoder, and the range of its pitch."""

    kind: Literal["harmonic"] = Field("harmonic", description="which decoder this is")  # type: ignore[assignment]
    pitch: PitchConfig = Field(PitchConfig(), description="range and resolution of the pitch")


def _kind(value: Any) -> str:
    """The tag of a configuration of encoder or decoder; without one it is the paper's."""
    return str(value.get("kind", "convnext") if isinstance(value, dict) else value.kind)


_PaperConfig = Annotated[ConvNeXtConfig, Tag("convnext")]
EncoderConfig = Annotated[
    _PaperConfig | Annotated[StftEncoderConfig, Tag("stft")], Discriminator(_kind)
]
DecoderConfig = Annotated[
    _PaperConfig
    | Annotated[IstftDecoderConfig, Tag("istft")]
    | Annotated[HarmonicDecoderConfig, Tag("harmonic")],
    Discriminator(_kind),
]


class CodecConfig(Config):
    """Sizes of the codec and its posterior."""

    sample_rate: int = Field(24_000, ge=1, description="Hz, mono")
    latent_dim: int = Field(32, ge=1, description="channels of a latent")
    frames_per_latent: int = Field(
        1, ge=1, description="frames of the encoder side by side in a latent; divides latent_dim"
    )
    encoder: EncoderConfig = Field(
        ConvNeXtConfig(), description="waveform to latents: the paper's (convnext) or the fast one"
    )
    decoder: DecoderConfig = Field(
        ConvNeXtConfig(), description="latents to waveform: the mirror (convnext) or the fast one"
    )
    lookahead_samples: int = Field(
        0, ge=0, description="samples that a latent depends on after its own; the paper's 0"
    )
    posterior: SigmaVAEConfig = Field(
        SigmaVAEConfig(sigma_std=SIGMA_STD), description="sigma and beta of the VAE"
    )

    @model_validator(mode="after")
    def _check(self) -> "CodecConfig":
        if self.encoder.total_stride != self.decoder.total_stride:
            raise ValueError(
                f"the encoder makes a latent of {self.encoder.total_stride} samples, the decoder "
                f"{self.decoder.total_stride} samples of a latent; they must be equal"
            )
        if self.latent_dim % self.frames_per_latent:
            raise ValueError(
                f"latent_dim {self.latent_dim} cannot hold {self.frames_per_latent} frames of the "
                "same size; give a multiple"
            )
        if self.lookahead_samples >= self.hop_length:
            raise ValueError(
                f"lookahead_samples must be below the {self.hop_length} samples of a latent"
            )
        return self

    @property
    def hop_length(self) -> int:
        """Samples per latent: the paper's token reduction ratio for one quantizer."""
        return self.encoder.total_stride * self.frames_per_latent

    @property
    def frame_dim(self) -> int:
        """Channels of a frame of the encoder."""
        return self.latent_dim // self.frames_per_latent

    @property
    def frame_rate(self) -> float:
        """Latents a second, Hz."""
        return self.sample_rate / self.hop_length
