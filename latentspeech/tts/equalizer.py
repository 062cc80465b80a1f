"""Undoing how the codec colours a voice.

The codec's copy of a voice is louder in some frequencies and softer in others than the voice, much
the same in all that it says. We have each prompt twice, as recorded and as the codec copies it, so
we know the gains that make the copy's long-term spectrum the recording's; they hold for whatever is
spoken in that voice. A causal filter of minimum phase applies them: it streams exactly and waits
for nothing.

B batch, T samples, F = N // 2 + 1 frequencies of a window of N samples, K = N taps.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from latentspeech.core.nn.streaming import StreamingModule

_WINDOW_S = 1 / 30
_MAX_LOG_GAIN = 0.7  # 6 dB
_FLOOR = 1e-7  # -70 dB below the loudest frequency there is nothing to make up for
# Gains are averages over this many hertz and this part of the frequency, as one standard deviation:
# fine enough for the lowest formants, too coarse to follow the prompt's own harmonics.
_SMOOTHING_HZ, _SMOOTHING_SHARE = 30.0, 0.08
_FINER = 4  # grid of the cepstrum over that of the gains, so that it does not fold


def log_gains(recording: Tensor, copy: Tensor, sample_rate: int) -> Tensor:
    """Natural logarithms (F,) of the gains that bring a copy (T,) near the recording (T,)."""
    length = window_length(sample_rate)
    wanted, found = (_power(audio, length) for audio in (recording, copy))
    floor = _FLOOR * wanted.max()
    difference = 0.5 * ((wanted + floor).log() - (found + floor).log())
    hertz = torch.arange(len(difference)) * sample_rate / length
    width = _SMOOTHING_HZ + _SMOOTHING_SHARE * hertz
    weights = (-0.5 * ((hertz[:, None] - hertz) / width[:, None]).square()).exp()
    smooth = (weights @ difference) / weights.sum(dim=1)
    return smooth.clamp(-_MAX_LOG_GAIN, _MAX_LOG_GAIN)


def window_length(sample_rate: int) -> int:
    """Samples of the window (N) behind gains at this rate; even."""
    return 2 * round(_WINDOW_S * sample_rate / 2)


class Equalizer(StreamingModule):
    """The filter of log gains (F,)."""

    taps: Tensor  # (K,)

    def __init__(self, gains: Tensor) -> None:
        super().__init__()
        self.register_buffer("taps", minimum_phase(gains), persistent=False)

    def init_state(self, batch_size: int) -> Tensor:
        """The K - 1 samples before the first, zeros."""
        return self.taps.new_zeros(batch_size, len(self.taps) - 1, 1)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, 1) -> (B, T, 1)."""
        context = torch.cat((state, x), dim=1)  # (B, K - 1 + T, 1)
        size = 2 ** math.ceil(math.log2(context.shape[1]))
        spectra = torch.fft.rfft(context[..., 0], size) * torch.fft.rfft(self.taps, size)
        y = torch.fft.irfft(spectra, size)[:, state.shape[1] : context.shape[1], None]
        return y, context[:, x.shape[1] :]


def minimum_phase(gains: Tensor) -> Tensor:
    """Taps (K,) of the causal filter with log gains (F,) that delays least, by its cepstrum."""
    length = 2 * (len(gains) - 1)
    size = _FINER * length
    finer = functional.interpolate(
        gains.double()[None, None], size // 2 + 1, mode="linear", align_corners=True
    )[0, 0]
    cepstrum = torch.fft.irfft(finer, size)
    cepstrum[1 : size // 2] *= 2  # what stands at negative times goes to positive ones
    cepstrum[size // 2 + 1 :] = 0
    return torch.fft.irfft(torch.fft.rfft(cepstrum).exp(), size)[:length].to(gains)


def _power(audio: Tensor, length: int) -> Tensor:
    """Mean power (F,) of the windows of audio (T,)."""
    window = torch.hann_window(length, device=audio.device)
    spectra = torch.stft(audio, length, length // 4, window=window, return_complex=True)
    return spectra.abs().square().mean(dim=1)
