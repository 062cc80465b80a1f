"""Complex multi-band STFT discriminator: convolutions over real and imaginary parts, band by band.

Kumar et al., High-Fidelity Audio Compression with Improved RVQGAN, 2023, arXiv 2306.06546.
Periodic Hann window, hop of a quarter window; the edges are reflected by 3/8 window, so that T
samples give ceil(T / hop) frames.

B batch, T samples, N frames, F frequency bins, C channels.
"""

from itertools import pairwise
from typing import Annotated, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from latentspeech.codec.discriminators.multi_period import LEAKY_SLOPE
from latentspeech.codec.discriminators.output import DiscriminatorOutput
from latentspeech.core.config import Config
from latentspeech.core.tensors import check_shape

# Kernel and stride over (frames, bins) of the five hidden layers.
_LAYERS = (((3, 9), (1, 1)), ((3, 9), (1, 2)), ((3, 9), (1, 2)), ((3, 9), (1, 2)), ((3, 3), (1, 1)))


class ComplexStftConfig(Config):
    """Sizes of the STFT discriminators; the defaults are DAC's, 1.4M parameters."""

    window_lengths: tuple[Annotated[int, Field(ge=64, multiple_of=8)], ...] = Field(
        default=(2048, 1024, 512), description="one discriminator each, samples; empty: none"
    )
    channels: PositiveInt = Field(default=32, description="of every hidden layer")
    band_edges: tuple[Annotated[float, Field(ge=0, le=1)], ...] = Field(
        default=(0.0, 0.1, 0.25, 0.5, 0.75, 1.0),
        description="borders of the bands, ascending fractions of the Nyquist frequency",
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
        self.activation = nn.LeakyReLU(LEAKY_SLOPE)
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
    for kernel, stride in _LAYERS:
        padding = (kernel[0] // 2, kernel[1] // 2)
        layers.append(weight_norm(nn.Conv2d(width, channels, kernel, stride, padding)))
        width = channels
    return layers


def _band_bins(window_length: int, edges: tuple[float, ...]) -> list[tuple[int, int]]:
    """First bin and the one past the last of each band."""
    borders = [int(edge * (window_length // 2 + 1)) for edge in edges]
    return list(pairwise(borders))
