"""Multi-period discriminator: looks at every p-th sample side by side.

Kong et al., HiFi-GAN, 2020, arXiv 2010.05646. There a 2-D convolution with kernel (5, 1) runs over
(T / p, p); here the p columns join the batch and the convolution is 1-D, which is the same and
faster on a CPU. As in DAC there is one LeakyReLU slope, 0.1, and the last hidden layer has
stride 1.

B batch, T samples, P period, C channels.
"""

from typing import Annotated, Self

from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from latentspeech.codec.discriminators.output import DiscriminatorOutput
from latentspeech.core.config import Config
from latentspeech.core.tensors import check_shape

LEAKY_SLOPE = 0.1
_KERNEL_SIZE = 5
_STRIDE = 3
_LOGIT_KERNEL_SIZE = 3


class MultiPeriodConfig(Config):
    """Sizes of the multi-period discriminators; the defaults are HiFi-GAN's, 41.1M parameters."""

    periods: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        default=(2, 3, 5, 7, 11), description="one discriminator each, samples; empty: none"
    )
    channels: tuple[PositiveInt, ...] = Field(
        default=(32, 128, 512, 1024, 1024),
        description="of the hidden layers; the last has stride 1, others 3",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.channels:
            raise ValueError("channels is empty; expected at least one hidden layer")
        if len(set(self.periods)) < len(self.periods):
            raise ValueError(f"periods {self.periods} repeat; expected distinct ones")
        return self


class PeriodDiscriminator(nn.Module):
    """One period of the multi-period discriminator."""

    def __init__(self, period: int, channels: tuple[int, ...]) -> None:
        super().__init__()
        self.period = period
        widths = (1, *channels)
        strides = [_STRIDE] * (len(channels) - 1) + [1]
        self.layers = nn.ModuleList(
            weight_norm(nn.Conv1d(width, next_width, _KERNEL_SIZE, stride, _KERNEL_SIZE // 2))
            for width, next_width, stride in zip(widths, channels, strides, strict=False)
        )
        self.activation = nn.LeakyReLU(LEAKY_SLOPE)
        self.to_logits = weight_norm(
            nn.Conv1d(channels[-1], 1, _LOGIT_KERNEL_SIZE, padding=_LOGIT_KERNEL_SIZE // 2)
        )

    def forward(self, audio: Tensor) -> DiscriminatorOutput:
        """Audio (B, T) -> logits (B * P, 1, T')."""
        check_shape("audio", audio, "B", "T")
        batch_size, num_samples = audio.shape
        padded = nn.functional.pad(audio[:, None], (0, -num_samples % self.period), mode="reflect")
        columns = padded.view(batch_size, -1, self.period).transpose(1, 2)  # (B, P, T / P)
        hidden = columns.reshape(batch_size * self.period, 1, -1)
        features = []
        for layer in self.layers:
            hidden = self.activation(layer(hidden))  # (B * P, C, T')
            features.append(hidden)
        return DiscriminatorOutput(self.to_logits(hidden), features)
