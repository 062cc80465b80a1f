"""The codec's discriminators: of the waveform at several periods and its STFT at several windows.

`PeriodDiscriminator`: Kong et al., HiFi-GAN, 2020, arXiv 2010.05646. There a 2-D convolution with
kernel (5, 1) runs over (T / P, P); here the P columns join the batch and the convolution is 1-D,
which gives the same result faster on a CPU. As in DAC there is one LeakyReLU slope, 0.1, and the
last hidden layer has stride 1.

`StftDiscriminator`: Kumar et al., High-Fidelity Audio Compression with Improved RVQGAN, 2023, arXiv
2306.06546. It convolves over the real and imaginary parts of a complex STFT, band by band. The
window is a periodic Hann window and the hop a quarter of it; the edges are reflected by 3/8 window,
so that T samples give ceil(T / hop) frames. `Discriminators` prepares its input as the same paper
does: it removes the mean and scales the peak to 0.8, so that the reconstruction loss alone judges
loudness.

B batch, T samples, P period, N frames, F frequency bins, C channels.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from latentspeech.codec.magnitude_discriminator import MagnitudeDiscriminator, MagnitudeStftConfig
from latentspeech.core.config import Config
from latentspeech.core.gan import DiscriminatorOutput
from latentspeech.core.tensors import check_shape

_LEAKY_SLOPE = 0.1
_PERIOD_KERNEL_SIZE = 5
_PERIOD_STRIDE = 3
_PERIOD_LOGIT_KERNEL_SIZE = 3
# Kernel and stride over (frames, bins) of the five hidden layers.
_STFT_LAYERS = (
    ((3, 9), (1, 1)),
    ((3, 9), (1, 2)),
    ((3, 9), (1, 2)),
    ((3, 9), (1, 2)),
    ((3, 3), (1, 1)),
)
_PEAK = 0.8
_TINY = 1e-9  # DAC's value; a silent row stays zero


class MultiPeriodConfig(Config):
    """Sizes of the multi-period discriminators; the defaults are HiFi-GAN's, 41.1M parameters."""

    periods: tuple[Annotated[int, Field(ge=2)], ...] = Field(
        default=(2, 3, 5, 7, 11), description="samples; one discriminator for each; empty: none"
    )
    channels: tuple[PositiveInt, ...] = Field(
        default=(32, 128, 512, 1024, 1024),
        description="channels of the hidden layers; the last has stride 1, others 3",
    )
    match_features: bool = Field(
        default=True, description="whether feature matching compares their hidden layers"
    )
    drawn: PositiveInt | None = Field(
        default=None, description="how many of them, drawn anew, judge a batch; null: all"
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

    def __init__(self, period: int, channels: tuple[int, ...], match_features: bool = True) -> None:
        super().__init__()
        self.period = period
        self.match_features = match_features
        widths = (1, *channels)
        strides = [_PERIOD_STRIDE] * (len(channels) - 1) + [1]
        self.layers = nn.ModuleList(
            weight_norm(
                nn.Conv1d(width, next_width, _PERIOD_KERNEL_SIZE, stride, _PERIOD_KERNEL_SIZE // 2)
            )
            for width, next_width, stride in zip(widths, channels, strides, strict=False)
        )
        self.activation = nn.LeakyReLU(_LEAKY_SLOPE)
        self.to_logits = weight_norm(
            nn.Conv1d(
                channels[-1], 1, _PERIOD_LOGIT_KERNEL_SIZE, padding=_PERIOD_LOGIT_KERNEL_SIZE // 2
            )
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
        return DiscriminatorOutput(self.to_logits(hidden), features if self.match_features else [])


class ComplexStftConfig(Config):
    """Sizes of the STFT discriminators; the defaults are DAC's, 1.4M parameters."""

    window_lengths: tuple[Annotated[int, Field(ge=64, multiple_of=8)], ...] = Field(
        default=(2048, 1024, 512), description="samples; one discriminator for each; empty: none"
    )
    channels: PositiveInt = Field(default=32, description="channels of every hidden layer")
    band_edges: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        default=(0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
        description="borders of the bands, ascending fractions of the Nyquist frequency",
    )
    drawn: PositiveInt | None = Field(
        default=None, description="how many of them, drawn anew, judge a batch; null: all"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        for length in self.window_lengths:
            if any(high <= low for low, high in _band_bins(length, self.band_edges)):
                raise ValueError(
                    f"band_edges {self.band_edges} leave a band of window {length} without bins; "
                    "expected at least two ascending edges, further apart"
                )
        if len(self.band_edges) < 2:
            raise ValueError(f"band_edges {self.band_edges}: expected at least two")
        return self


class StftDiscriminator(nn.Module):
    """One window length of the complex STFT discriminator."""

    def __init__(self, window_length: int, channels: int, band_edges: tuple[float, ...]) -> None:
        super().__init__()
        self.window_length = window_length
        self.hop = window_length // 4
        self.bands = _band_bins(window_length, band_edges)
        self.stacks = nn.ModuleList(_make_stack(channels) for _ in self.bands)
        self.activation = nn.LeakyReLU(_LEAKY_SLOPE)
        self.to_logits = weight_norm(nn.Conv2d(channels, 1, 3, padding=1))

    def forward(self, audio: Tensor) -> DiscriminatorOutput:
        """Audio (B, T) -> logits (B, 1, N, F')."""
        spectrum = self._spectrum(audio)
        features = []
        bands = []
        for (low, high), stack in zip(self.bands, self.stacks, strict=True):
            hidden = spectrum[..., low:high]
            assert isinstance(stack, nn.ModuleList)
            for layer in stack:
                hidden = self.activation(layer(hidden))  # (B, C, N, F')
                features.append(hidden)
            bands.append(hidden)
        return DiscriminatorOutput(self.to_logits(torch.cat(bands, dim=-1)), features)

    def _spectrum(self, audio: Tensor) -> Tensor:
        """(B, T) -> real and imaginary parts (B, 2, N, F), always in float32 or better."""
        check_shape("audio", audio, "B", "T")
        edge = 3 * self.window_length // 8
        num_samples = audio.shape[1]
        right = edge + -num_samples % self.hop
        if num_samples <= right:
            raise ValueError(
                f"audio has {num_samples} samples; expected more than {right} for an STFT window "
                f"of {self.window_length}; use longer segments or smaller window_lengths"
            )
        with torch.autocast(audio.device.type, enabled=False):
            audio = audio if audio.dtype == torch.float64 else audio.float()
            padded = nn.functional.pad(audio[:, None], (edge, right), mode="reflect")[:, 0]
            window = torch.hann_window(self.window_length, dtype=padded.dtype, device=padded.device)
            spectrum = torch.stft(
                padded,
                self.window_length,
                self.hop,
                window=window,
                center=False,
                return_complex=True,
            )  # (B, F, N)
            return torch.view_as_real(spectrum).permute(0, 3, 2, 1)


def _make_stack(channels: int) -> nn.ModuleList:
    layers = nn.ModuleList()
    width = 2
    for kernel, stride in _STFT_LAYERS:
        padding = (kernel[0] // 2, kernel[1] // 2)
        layers.append(weight_norm(nn.Conv2d(width, channels, kernel, stride, padding)))
        width = channels
    return layers


def _band_bins(window_length: int, edges: tuple[float, ...]) -> list[tuple[int, int]]:
    """The first bin of each band and the bin after its last one."""
    borders = [int(edge * (window_length // 2 + 1)) for edge in edges]
    return list(pairwise(borders))


class DiscriminatorsConfig(Config):
    """The discriminators and their sizes."""

    multi_period: MultiPeriodConfig = Field(
        default=MultiPeriodConfig(), description="discriminators of the waveform"
    )
    complex_stft: ComplexStftConfig = Field(
        default=ComplexStftConfig(), description="discriminators of the STFT"
    )
    magnitude_stft: MagnitudeStftConfig = Field(
        default=MagnitudeStftConfig(), description="discriminators of the STFT's magnitudes"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not (
            self.multi_period.periods
            or self.complex_stft.window_lengths
            or self.magnitude_stft.window_lengths
        ):
            raise ValueError(
                "no periods and no window_lengths; expected at least one discriminator"
            )
        return self


class Discriminators(nn.Module):
    """All discriminators; one output each: periods, then complex and magnitude STFT windows."""

    def __init__(self, config: DiscriminatorsConfig) -> None:
        super().__init__()
        self.config = config
        periods, stft, magnitude = config.multi_period, config.complex_stft, config.magnitude_stft
        kinds: list[list[nn.Module]] = [
            [
                PeriodDiscriminator(period, periods.channels, periods.match_features)
                for period in periods.periods
            ],
            [
                StftDiscriminator(length, stft.channels, stft.band_edges)
                for length in stft.window_lengths
            ],
            [MagnitudeDiscriminator(length, magnitude) for length in magnitude.window_lengths],
        ]
        drawn = (periods.drawn, stft.drawn, magnitude.drawn)
        self._kinds = [(len(kind), count) for kind, count in zip(kinds, drawn, strict=True)]
        self.discriminators = nn.ModuleList(judge for kind in kinds for judge in kind)

    def draw(self, generator: torch.Generator) -> list[int]:
        """The places of the discriminators that judge one batch: `drawn` of each kind, or all."""
        places: list[int] = []
        first = 0
        for size, count in self._kinds:
            order = list(range(size))
            if count is not None:
                order = torch.randperm(size, generator=generator)[:count].tolist()
            places += [first + place for place in sorted(order)]
            first += size
        return places

    def forward(
        self, audio: Tensor, places: Sequence[int] | None = None
    ) -> list[DiscriminatorOutput]:
        """Judges audio (B, T) by the discriminators at `places`, by default all."""
        check_shape("audio", audio, "B", "T")
        prepared = _normalize(audio)
        chosen = range(len(self.discriminators)) if places is None else places
        return [self.discriminators[place](prepared) for place in chosen]


def _normalize(audio: Tensor) -> Tensor:
    """Gives each row zero mean and peak 0.8. (B, T) -> (B, T)."""
    centred = audio - audio.mean(dim=1, keepdim=True)
    return centred * (_PEAK / (centred.abs().amax(dim=1, keepdim=True) + _TINY))
