"""Latents to waveform: the encoder's mirror, with overlap-add up-sampling (paper H.5.1).

B batch, T frames, D latent dimension.
"""

from typing import Any

from torch import Tensor, nn

from latentspeech.codec.config import ConvNeXtConfig
from latentspeech.codec.convnext import stage
from latentspeech.core.nn.causal_conv import CausalConv1d, CausalConvTranspose1d
from latentspeech.core.nn.streaming import StreamingModule, StreamingSequential


class ConvNeXtDecoder(StreamingModule):
    """The decoder x = Decoder(z) of the sigma-VAE, without a tanh or a last norm."""

    def __init__(self, config: ConvNeXtConfig, latent_dim: int) -> None:
        super().__init__()
        widths = config.channels
        layers: list[nn.Module] = [CausalConv1d(latent_dim, widths[-1], config.kernel_size)]
        for i in reversed(range(len(config.strides))):
            stride = config.strides[i]
            layers.append(stage(widths[i + 1], config.depths[i + 1], config))
            layers.append(CausalConvTranspose1d(widths[i + 1], widths[i], 2 * stride, stride))
        layers.append(stage(widths[0], config.depths[0], config))
        layers.append(CausalConv1d(widths[0], 1, config.kernel_size))
        self.layers = StreamingSequential(*layers)

    def init_state(self, batch_size: int) -> Any:
        """The states of the layers."""
        return self.layers.init_state(batch_size)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Latents x (B, T, D) -> samples (B, T hop, 1)."""
        return self.layers.step(x, state)
