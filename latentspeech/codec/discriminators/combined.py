"""All discriminators of the codec behind one call, with DAC's preparation of their input.

Kumar et al., 2023, arXiv 2306.06546: the mean is removed and the peak scaled to 0.8, so that
loudness is the business of the reconstruction loss alone.

B batch, T samples.
"""

from typing import Self

from pydantic import Field, model_validator
from torch import Tensor, nn

from latentspeech.codec.discriminators.complex_stft import ComplexStftConfig, StftDiscriminator
from latentspeech.codec.discriminators.multi_period import MultiPeriodConfig, PeriodDiscriminator
from latentspeech.codec.discriminators.output import DiscriminatorOutput
from latentspeech.core.config import Config
from latentspeech.core.tensors import check_shape

_PEAK = 0.8
_TINY = 1e-9  # DAC's; a silent row stays zero


class DiscriminatorsConfig(Config):
    """Which discriminators there are, and their sizes."""

    multi_period: MultiPeriodConfig = Field(
        default=MultiPeriodConfig(), description="waveform at periods"
    )
    complex_stft: ComplexStftConfig = Field(
        default=ComplexStftConfig(), description="spectrum in bands"
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.multi_period.periods and not self.complex_stft.window_lengths:
            raise ValueError(
                "no periods and no window_lengths; expected at least one discriminator"
            )
        return self


class Discriminators(nn.Module):
    """One output a discriminator: periods in order, then STFT windows in order."""

    def __init__(self, config: DiscriminatorsConfig) -> None:
        super().__init__()
        self.config = config
        periods, stft = config.multi_period, config.complex_stft
        self.discriminators = nn.ModuleList(
            [
                *(PeriodDiscriminator(period, periods.channels) for period in periods.periods),
                *(
                    StftDiscriminator(length, stft.channels, stft.band_edges)
                    for length in stft.window_lengths
                ),
            ]
        )

    def forward(self, audio: Tensor) -> list[DiscriminatorOutput]:
        """Judges audio (B, T)."""
        check_shape("audio", audio, "B", "T")
        prepared = _normalize(audio)
        return [discriminator(prepared) for discriminator in self.discriminators]


def _normalize(audio: Tensor) -> Tensor:
    """Zero mean and peak 0.8 in each row. (B, T) -> (B, T)."""
    centred = audio - audio.mean(dim=1, keepdim=True)
    return centred * (_PEAK / (centred.abs().amax(dim=1, keepdim=True) + _TINY))
