"""A filter that undoes the codec's change to the spectrum of a voice.

The codec's copy of a voice is louder than the voice at some frequencies and softer at others, and
this difference is nearly the same in everything that the voice says. We have each prompt twice,
recorded and copied by the codec. So we can compute the gains that make the copy's long-term
spectrum equal to the recording's, and apply them to everything spoken in that voice. The filter is
causal with minimum phase: streaming gives the same result and adds no delay.

B batch, T samples, F = N // 2 + 1 frequencies of a window of N samples, K = N taps.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from latentspeech.core.nn.streaming import StreamingModule

_WINDOW_S = 1 / 30
_MAX_LOG_GAIN = 0.7  # 6 dB
_FLOOR = 1e-7  # power 70 dB below the loudest frequency, under which differences are ignored
# Gains are smoothed with a standard deviation of this many hertz plus this share of the frequency:
# fine enough for the lowest formants, too coarse to follow the prompt's own harmonics.
_SMOOTHING_HZ, _SMOOTHING_SHARE = 30.0, 0.08
_FINER = 4  # grid of the cepstrum relative to that of the gains, against aliasing


def log_gains(recording: Tensor, copy: Tensor, sample_rate: int) -> Tensor:
    """Returns natural log gains (F,) that make a copy (T,) sound like the recording (T,)."""
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
    """Returns the window length N in samples, an even number, for gains at this sample rate."""
    return 2 * round(_WINDOW_S * sample_rate / 2)


class Equalizer(StreamingModule):
    """The causal filter that applies log gains (F,)."""

    taps: Tensor  # (K,)

    def __init__(self, gains: Tensor) -> None:
        super().__init__()
        self.register_buffer("taps", minimum_phase(gains), persistent=False)

    def init_state(self, batch_size: int) -> Tensor:
        """Returns the K - 1 samples before the first one, which are zeros."""
        return self.taps.new_zeros(batch_size, len(self.taps) - 1, 1)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, 1) -> (B, T, 1)."""
        context = torch.cat((state, x), dim=1)  # (B, K - 1 + T, 1)
        size = 2 ** math.ceil(math.log2(context.shape[1]))
        spectra = torch.fft.rfft(context[..., 0], size) * torch.fft.rfft(self.taps, size)
        y = torch.fft.irfft(spectra, size)[:, state.shape[1] : context.shape[1], None]
        return y, context[:, x.shape[1] :]


def minimum_phase(gains: Tensor) -> Tensor:
    """Returns taps (K,) of the minimum-phase filter with log gains (F,), by its cepstrum."""
    length = 2 * (len(gains) - 1)
    size = _FINER * length
    finer = functional.interpolate(
        gains.double()[None, None], size // 2 + 1, mode="linear", align_corners=True
    )[0, 0]
    cepstrum = torch.fft.irfft(finer, size)
    cepstrum[1 : size // 2] *= 2  # the part at negative times moves to positive times
    cepstrum[size // 2 + 1 :] = 0
    return torch.fft.irfft(torch.fft.rfft(cepstrum).exp(), size)[:length].to(gains)


def _power(audio: Tensor, length: int) -> Tensor:
    """Returns the mean power (F,) of the windows of audio (T,)."""
    window = torch.hann_window(length, device=audio.device)
    spectra = torch.stft(audio, length, length // 4, window=window, return_complex=True)
    return spectra.abs().square().mean(dim=1)
