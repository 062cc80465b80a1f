"""Waveform to posterior means: stem, ConvNeXt stages, strided convolutions, head (paper H.5.1).

B batch, T samples, D latent dimension.
"""

from typing import Any

from torch import Tensor, nn

from latentspeech.codec.config import ConvNeXtConfig
from latentspeech.codec.convnext import stage
from latentspeech.core.nn.causal_conv import CausalConv1d
from latentspeech.core.nn.streaming import StreamingModule, StreamingSequential


class ConvNeXtEncoder(StreamingModule):
    """The encoder mu = Encoder(x) of the sigma-VAE; kernels are twice their stride."""

    def __init__(self, config: ConvNeXtConfig, latent_dim: int) -> None:
        super().__init__()
        widths = config.channels
        layers: list[nn.Module] = [CausalConv1d(1, widths[0], config.kernel_size)]
        for i, stride in enumerate(config.strides):
            layers.append(stage(widths[i], config.depths[i], config))
            layers.append(CausalConv1d(widths[i], widths[i + 1], 2 * stride, stride))
        layers.append(stage(widths[-1], config.depths[-1], config))
        layers.append(CausalConv1d(widths[-1], latent_dim, config.kernel_size))
        self.layers = StreamingSequential(*layers)

    def init_state(self, batch_size: int) -> Any:
        """The states of the layers."""
        return self.layers.init_state(batch_size)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Samples x (B, T, 1) -> means (B, T / hop, D); the product of the strides divides T."""
        return self.layers.step(x, state)
