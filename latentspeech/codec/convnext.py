"""The causal ConvNeXt block and the stages that encoder and decoder share (paper H.5.1).

The 2-D convolution of ConvNeXt (Liu et al. 2022, arXiv 2201.03545) becomes a 1-D causal one.
RMSNorm acts on the channels of one time step, so nothing looks ahead and streaming is exact; there
is no weight norm.

B batch, T frames of the stage's rate, C channels.
"""

import math
from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.config import Config
from latentspeech.core.nn.causal_conv import CausalDepthwiseConv1d
from latentspeech.core.nn.norm import NORM_EPS
from latentspeech.core.nn.streaming import StreamingModule, StreamingSequential


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
