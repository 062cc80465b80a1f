"""A discriminator of compressed STFT magnitudes that a CPU can train against.

The multi-resolution discriminator of Jang et al., UnivNet, 2021, arXiv 2106.07889, judges the
magnitudes of an STFT. Magnitudes do not depend on the phases, which a decoder that makes its own
phases cannot match, so matching their features is well-defined. Two things make it cheap: the
first layer already strides over the bins, and the tensors lie channels last, which a CPU convolves
two to three times faster at few channels. A magnitude enters to the power 0.3, like loudness, so
that soft sounds count.

B batch, T samples, N frames, F frequency bins, C channels.
"""

from typing import Annotated

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from latentspeech.core.config import Config
from latentspeech.core.gan import DiscriminatorOutput

_LEAKY_SLOPE = 0.1
_POWER = 0.3
_FLOOR = 1e-4  # added to the squared magnitude, so that the power has a gradient at 0


class MagnitudeStftConfig(Config):
    """Sizes of the magnitude discriminators; by default there are none."""

    window_lengths: tuple[Annotated[int, Field(ge=64, multiple_of=8)], ...] = Field(
        default=(), description="samples; one discriminator for each; empty: none"
    )
    channels: PositiveInt = Field(default=32, description="channels of every hidden layer")
    bin_strides: tuple[PositiveInt, ...] = Field(
        default=(4, 2, 2), min_length=1, description="strides over the bins, layer by layer"
    )
    drawn: PositiveInt | None = Field(
        default=None, description="how many of them, drawn anew, judge a batch; null: all"
    )
    kernel_bins: PositiveInt = Field(default=5, description="bins of a kernel, odd")


class MagnitudeDiscriminator(nn.Module):
    """One window length of the magnitude discriminator; the hop is a quarter of it."""

    window: Tensor

    def __init__(self, window_length: int, config: MagnitudeStftConfig) -> None:
        super().__init__()
        self.register_buffer("window", torch.hann_window(window_length), persistent=False)
        widths = [1, *[config.channels] * len(config.bin_strides)]
        padding = (1, config.kernel_bins // 2)
        self.layers = nn.ModuleList(
            weight_norm(
                nn.Conv2d(width, config.channels, (3, config.kernel_bins), (1, stride), padding)
            )
            for width, stride in zip(widths, config.bin_strides, strict=False)
        )
        self.layers.append(weight_norm(nn.Conv2d(config.channels, config.channels, 3, padding=1)))
        self.activation = nn.LeakyReLU(_LEAKY_SLOPE)
        self.to_logits = weight_norm(nn.Conv2d(config.channels, 1, 3, padding=1))

    def forward(self, audio: Tensor) -> DiscriminatorOutput:
        """Audio (B, T) -> logits (B, 1, N, F')."""
        with torch.autocast(audio.device.type, enabled=False):
            window = self.window.to(audio.dtype)
            spectrum = torch.stft(
                audio, len(window), len(window) // 4, window=window, return_complex=True
            )
            power = spectrum.real.square() + spectrum.imag.square()  # (B, F, N)
            hidden = (power + _FLOOR).pow(0.5 * _POWER).transpose(1, 2)[:, None]  # (B, 1, N, F)
        hidden = hidden.contiguous(memory_format=torch.channels_last)
        features = []
        for layer in self.layers:
            hidden = self.activation(layer(hidden))  # (B, C, N, F')
            features.append(hidden)
        return DiscriminatorOutput(self.to_logits(hidden), features)
