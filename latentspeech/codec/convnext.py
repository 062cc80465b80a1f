"""The causal ConvNeXt block and the stages that encoder and decoder share (paper H.5.1).

The 2-D convolution of ConvNeXt (Liu et al. 2022, arXiv 2201.03545) becomes a 1-D causal one.
RMSNorm acts on the channels of one time step, so nothing looks ahead and streaming is exact; there
is no weight norm.

B batch, T frames of the stage's rate, C channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.codec.config import ConvNeXtConfig
from latentspeech.core.nn.causal_conv import CausalDepthwiseConv1d
from latentspeech.core.nn.config import NORM_EPS
from latentspeech.core.nn.streaming import StreamingModule, StreamingSequential


class ConvNeXtBlock(StreamingModule):
    """x + gamma * FFN(RMSNorm(depthwise(x)))."""

    def __init__(self, channels: int, config: ConvNeXtConfig) -> None:
        super().__init__()
        self.depthwise = CausalDepthwiseConv1d(channels, config.kernel_size)
        self.norm = nn.RMSNorm(channels, eps=NORM_EPS)
        self.up = nn.Linear(channels, config.ffn_factor * channels)
        self.down = nn.Linear(config.ffn_factor * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), config.layer_scale))

    def init_state(self, batch_size: int) -> Tensor:
        """The state of the depthwise convolution."""
        return self.depthwise.init_state(batch_size)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, C) -> (B, T, C)."""
        y, state = self.depthwise.step(x, state)
        y = self.down(functional.gelu(self.up(self.norm(y))))
        return torch.addcmul(x, y, self.gamma), state


def stage(channels: int, depth: int, config: ConvNeXtConfig) -> StreamingSequential:
    """`depth` blocks of one width."""
    return StreamingSequential(*(ConvNeXtBlock(channels, config) for _ in range(depth)))
