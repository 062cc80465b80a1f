"""Spectra of a pulse train at a given pitch, frame by frame, with the phase carried along.

    e_n(t) = sum_{k=1}^{K} cos(k theta_n(t)),  K harmonics below half the sample rate

This is the source of a source-filter vocoder (Engel et al., 2020, arXiv 2001.04643; Wang et al.,
2019, arXiv 1904.12088). A convolutional decoder of short context cannot add up a phase over time,
so the harmonics that it makes by itself fall out of step every few frames, which sounds hoarse;
here the phase is integrated. Each frame is made from its own pitch and slope alone, so nothing
waits for a later frame.

B batch, N frames, W window_length, H hop_length, F = W // 2 + 1 bins.
"""

import math

import torch
from torch import Tensor

from latentspeech.codec.config import MAX_GLIDE
from latentspeech.core.nn.streaming import StreamingModule


class HarmonicSource(StreamingModule):
    """Pitch (B, N) in Hz -> spectra (B, N, F) in which a harmonic has a peak of 1."""

    window: Tensor

    def __init__(self, sample_rate: int, window_length: int, hop_length: int) -> None:
        super().__init__()
        self.sample_rate = sample_rate
        self.hop_length = hop_length
        self.register_buffer("window", torch.hann_window(window_length), persistent=False)

    def init_state(self, batch_size: int) -> Tensor:
        """Phase in cycles and pitch in Hz of the last frame (B, 2).

        They are float64, since rounding errors of the phase add up over an hour of audio.
        """
        return self.window.new_zeros(batch_size, 2, dtype=torch.float64)

    @torch.no_grad()
    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """Pitch x (B, N), Hz -> complex spectra (B, N, F)."""
        pitch = x.double()
        before = torch.cat((state[:, 1:], pitch[:, :-1]), dim=1)
        before = torch.where(before > 0, before, pitch)
        step = self.hop_length / self.sample_rate  # seconds
        cycles = state[:, :1] + ((pitch + before) * (0.5 * step)).cumsum(dim=1)  # at the centres
        gliding = (pitch / before).log().abs() < MAX_GLIDE
        slope = torch.where(gliding, (pitch - before) / step, 0)  # Hz per second
        state = torch.stack((cycles[:, -1] % 1, pitch[:, -1]), dim=1)
        return self._spectra(pitch, slope, cycles % 1), state

    def _spectra(self, pitch: Tensor, slope: Tensor, cycles: Tensor) -> Tensor:
        length = len(self.window)
        seconds = torch.arange(length, device=pitch.device) - length / 2
        seconds = seconds.to(self.window.dtype) / self.sample_rate
        start, pitch, slope = (v.to(self.window.dtype)[..., None] for v in (cycles, pitch, slope))
        turns = start + seconds * (pitch + 0.5 * slope * seconds)  # (B, N, W)
        half = math.pi * (turns - turns.round())  # theta / 2, within +-pi / 2
        count = (0.5 * self.sample_rate / pitch).floor()
        # The sum of the cosines in closed form: the Dirichlet kernel.
        sine = half.sin()
        peak = sine.abs() < 1e-5
        kernel = ((2 * count + 1) * half).sin() / torch.where(peak, 1.0, sine)
        pulses = 0.5 * (torch.where(peak, 2 * count + 1, kernel) - 1)
        return torch.fft.rfft(pulses * self.window) * (4 / length)
