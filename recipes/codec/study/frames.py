"""Spectra of a recording at the decoder's own frames, and sounds made of changed ones.

The decoder adds up frames of W samples every H samples. Cut in the same way and added up again, a
recording comes back unchanged, except for the first W - H samples, which fade in.

B batch, S samples, N frames, F = W // 2 + 1 bins.
"""

import torch
from torch import Tensor
from torch.nn import functional

from latentspeech.codec.decoders.istft_head import IstftHead

_TINY = 1e-9


def frames_of(head: IstftHead, audio: Tensor, count: int) -> Tensor:
    """Audio (B, S) -> the complex spectra (B, N, F) of its first `count` frames."""
    window, hop = head.window_length, head.hop_length
    missing = (count - 1) * hop + window - audio.shape[1]
    padded = functional.pad(audio, (0, missing))[:, : (count - 1) * hop + window]
    shape = torch.hann_window(window).to(audio)
    return torch.fft.rfft(padded.unfold(1, window, hop) * shape)


def sound_of(head: IstftHead, spectra: Tensor) -> Tensor:
    """Complex spectra (B, N, F) -> audio (B, N H)."""
    return head.synthesize(spectra, head.init_state(len(spectra)))[0][..., 0]


def with_phase(magnitude: Tensor, phase_of: Tensor) -> Tensor:
    """A real magnitude (B, N, F) with the phase of complex spectra of the same shape."""
    return magnitude * phase_of / phase_of.abs().clamp_min(_TINY)


def random_phase(magnitude: Tensor, generator: torch.Generator) -> Tensor:
    """A real magnitude (B, N, F) with phases from a uniform distribution."""
    turns = torch.rand(magnitude.shape, generator=generator).to(magnitude)
    return torch.polar(magnitude, 2 * torch.pi * turns)


def centred_phase(magnitude: Tensor) -> Tensor:
    """A real magnitude (B, N, F) as a pulse in the middle of the frame."""
    sign = 1 - 2 * (torch.arange(magnitude.shape[-1]) % 2)
    return (magnitude * sign).to(torch.complex64)


def consistent_phase(head: IstftHead, magnitude: Tensor, start: Tensor, rounds: int) -> Tensor:
    """Magnitude (B, N, F) with phases on which overlapping frames agree (Griffin and Lim, 1984).

    Args:
        start: complex spectra (B, N, F), whose phases are the first ones.
        rounds: how many times they are replaced by those of the sound that the frames make.
    """
    spectra = with_phase(magnitude, start)
    for _ in range(rounds):
        heard = frames_of(head, sound_of(head, spectra), magnitude.shape[1])
        spectra = with_phase(magnitude, heard)
    return spectra


def joined_at(below: Tensor, above: Tensor, edge_hz: float, sample_rate: int) -> Tensor:
    """Complex spectra (B, N, F): those of `below` under the edge, those of `above` from it on."""
    hertz = torch.linspace(0, sample_rate / 2, below.shape[-1])
    return torch.where(hertz < edge_hz, below, above)


def thinned(magnitude: Tensor, every: int) -> Tensor:
    """Magnitude (B, N, F) of which only each `every`-th frame is kept; the others lie between.

    They are interpolated in the logarithm.
    """
    logs = magnitude.clamp_min(_TINY).log().transpose(1, 2)[..., ::every]  # (B, F, N / every)
    size = (logs.shape[-1] - 1) * every + 1
    between = functional.interpolate(logs, size, mode="linear", align_corners=True)
    rest = magnitude.shape[1] - size
    return functional.pad(between, (0, rest), mode="replicate").exp().transpose(1, 2)
