"""The fast decoder: ConvNeXt blocks at the latent rate and at a frame rate, then an inverse STFT.

The mirrored decoder of the paper spends half its time at 12 and 24 kHz, where few of its weights
are. This one never works above the frame rate (120 Hz by default), like Vocos (Siuzdak, 2023, arXiv
2306.00814). It is causal too, streams as exactly, and reads the same latents.

B batch, T latents, N = upsampling T frames, D latent dimension.
"""

from typing import Any, Literal

from pydantic import Field, model_validator
from torch import Tensor

from latentspeech.codec.convnext import ConvNeXtConfig, stage
from latentspeech.codec.decoders.istft_head import IstftHead
from latentspeech.core.config import Config
from latentspeech.core.nn.causal_conv import CausalConv1d, CausalConvTranspose1d
from latentspeech.core.nn.streaming import StreamingModule, StreamingSequential


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


def frame_layers(config: IstftDecoderConfig, latent_dim: int) -> list[StreamingModule]:
    """The layers from latents (B, T, D) to features of frames (B, N, frame_channels)."""
    wide, narrow = config.latent_channels, config.frame_channels
    blocks = ConvNeXtConfig(
        kernel_size=config.kernel_size,
        ffn_factor=config.ffn_factor,
        layer_scale=config.layer_scale,
    )
    return [
        CausalConv1d(latent_dim, wide, config.kernel_size),
        stage(wide, config.latent_depth, blocks),
        CausalConvTranspose1d(wide, narrow, config.upsampling, config.upsampling),
        stage(narrow, config.frame_depth, blocks),
    ]


class IstftDecoder(StreamingModule):
    """The decoder x = Decoder(z), frame by frame."""

    def __init__(self, config: IstftDecoderConfig, latent_dim: int) -> None:
        super().__init__()
        head = IstftHead(config.frame_channels, config.window_length, config.hop_length)
        self.layers = StreamingSequential(*frame_layers(config, latent_dim), head)

    def init_state(self, batch_size: int) -> Any:
        """The states of the layers."""
        return self.layers.init_state(batch_size)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Latents x (B, T, D) -> samples (B, T hop, 1)."""
        return self.layers.step(x, state)
