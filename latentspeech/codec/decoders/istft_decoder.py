"""The fast decoder: ConvNeXt blocks at the latent rate and at a frame rate, then an inverse STFT.

The mirrored decoder of the paper spends half its time at 12 and 24 kHz, where few of its weights
are. This one never works above the frame rate (120 Hz by default), like Vocos (Siuzdak, 2023, arXiv
2306.00814). It is causal too, streams as exactly, and reads the same latents.

B batch, T latents, N = upsampling T frames, D latent dimension.
"""

from typing import Any

from torch import Tensor

from latentspeech.codec.config import ConvNeXtConfig, IstftDecoderConfig
from latentspeech.codec.convnext import stage
from latentspeech.codec.decoders.istft_head import IstftHead
from latentspeech.core.nn.causal_conv import CausalConv1d, CausalConvTranspose1d
from latentspeech.core.nn.streaming import StreamingModule, StreamingSequential


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
