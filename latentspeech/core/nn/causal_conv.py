"""Causal convolutions over (B, T, C) that stream exactly.

A dense convolution with stride S and kernel K (a multiple of S) is a linear layer over the last K /
S blocks of S samples. This is fast on a CPU because it is one matrix multiply in channels-last
layout. Output i depends on the K inputs up to and including block i of S inputs, so the first
output lacks K - S inputs. With K = 6 and S = 2, for inputs a to h:

    offline                         in two chunks
    0 0 0 0 a b c d e f g h         0 0 0 0 a b c d   |   a b c d e f g h
    [----y0---]                     [----y0---]       |   [----y2---]
        [----y1---]                     [----y1---]   |       [----y3---]
            [----y2---]             keeps a b c d     |   keeps e f g h
                [----y3---]

Offline, K - S zeros take their place, so T inputs give T / S outputs. In a stream the state takes
their place: it holds the last K - S inputs, or zeros when it is fresh.

The transposed convolution is a linear layer followed by overlap-add: each input makes K outputs,
which begin S after those of the previous input. With K = 6 and S = 2, for inputs a, b and c:

    a a a a a a
        b b b b b b
            c c c c c c
    --finished--^-state-

The full output is (T - 1) S + K long. Its last K - S samples wait for the next inputs, so they are
the state. They are kept WITHOUT the bias, which would otherwise be added twice.

B batch, T inputs, S stride, K kernel, C channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.core.nn.overlap_add import overlap_add
from latentspeech.core.nn.streaming import StreamingModule


def _check_kernel(kernel_size: int, stride: int) -> None:
    if stride < 1 or kernel_size < stride or kernel_size % stride:
        raise ValueError(
            f"kernel_size {kernel_size} must be a positive multiple of stride {stride}"
        )


class CausalConv1d(StreamingModule):
    """Dense convolution; `linear.weight` is (C_out, K C_in), oldest sample first."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1
    ) -> None:
        super().__init__()
        _check_kernel(kernel_size, stride)
        self.in_channels = in_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.linear = nn.Linear(kernel_size * in_channels, out_channels)

    def init_state(self, batch_size: int) -> Tensor:
        """Zeros for the K - S inputs before the first."""
        return self.zero_state(batch_size, self.kernel_size - self.stride, self.in_channels)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, C_in) with S | T -> (B, T / S, C_out)."""
        batch, length, channels = x.shape
        if length % self.stride:
            raise ValueError(f"{length} inputs are not a multiple of the stride {self.stride}")
        num_outputs = length // self.stride
        context = torch.cat((state, x), dim=1)  # (B, K - S + T, C)
        blocks = context.reshape(batch, -1, self.stride * channels)  # (B, K/S - 1 + T/S, S C)
        num_blocks = self.kernel_size // self.stride
        windows = torch.cat(
            [blocks[:, i : i + num_outputs] for i in range(num_blocks)], dim=2
        )  # (B, T/S, K C)
        return self.linear(windows), context[:, length:]


class CausalDepthwiseConv1d(StreamingModule):
    """Convolution with one filter a channel, stride 1; `weight` is (C, K), oldest sample first."""

    def __init__(self, channels: int, kernel_size: int) -> None:
        super().__init__()
        self.channels = channels
        self.kernel_size = kernel_size
        bound = kernel_size**-0.5
        self.weight = nn.Parameter(torch.empty(channels, kernel_size).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(channels))

    def init_state(self, batch_size: int) -> Tensor:
        """Zeros for the K - 1 inputs before the first."""
        return self.zero_state(batch_size, self.kernel_size - 1, self.channels)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, C) -> (B, T, C)."""
        context = torch.cat((state, x), dim=1)  # (B, K - 1 + T, C)
        # A 2-D convolution of height 1 uses the channels-last memory without copying it. On a CPU
        # it is ten times faster than conv1d, which needs the channels first.
        image = context.transpose(1, 2).unsqueeze(2)  # (B, C, 1, K - 1 + T)
        y = functional.conv2d(image, self.weight[:, None, None], self.bias, groups=self.channels)
        return y.squeeze(2).transpose(1, 2), context[:, x.shape[1] :]


class CausalConvTranspose1d(StreamingModule):
    """Up-sampling by S; `linear.weight` is (K C_out, C_in), earliest output first."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, stride: int) -> None:
        super().__init__()
        _check_kernel(kernel_size, stride)
        self.out_channels = out_channels
        self.kernel_size = kernel_size
        self.stride = stride
        self.linear = nn.Linear(in_channels, kernel_size * out_channels, bias=False)
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def init_state(self, batch_size: int) -> Tensor:
        """Zeros for the K - S output samples that later inputs still add to, without bias."""
        return self.zero_state(batch_size, self.kernel_size - self.stride, self.out_channels)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, C_in) -> (B, T S, C_out)."""
        batch, length, _ = x.shape
        num_blocks = self.kernel_size // self.stride
        parts = self.linear(x).view(batch, length, num_blocks, -1)  # (B, T, K / S, S C_out)
        y, tail = overlap_add(parts, state.reshape(batch, num_blocks - 1, parts.shape[-1]))
        y = y.reshape(batch, length * self.stride, self.out_channels)
        return y + self.bias, tail.reshape(batch, -1, self.out_channels)
