"""The fast encoder: a causal log spectrum, ConvNeXt blocks at a frame rate and at the latent rate.

It mirrors the fast decoder (istft_decoder.py) and never works above the frame rate. It need not
learn to find magnitudes, since the STFT gives them from the first step; with little computing time
that is most of the way. The phase is dropped, since the losses of the codec hardly depend on it.

With `cepstrum_lags` it also reads the cepstrum at the lags of pitch. The cepstrum is linear in the
log spectrum, but a voice's pitch is a single peak in it, which training finds within minutes, not
hours.

Frame n ends with its hop: it covers samples [(n + 1) H - W, (n + 1) H), with zeros before the first
sample.

B batch, T samples, N = T / H frames, W window_length, H hop_length, F = W // 2 + 1 bins,
Q lags of the cepstrum.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from latentspeech.codec.config import (
    SPECTRUM_FLOOR,
    SPECTRUM_SCALE,
    ConvNeXtConfig,
    StftEncoderConfig,
)
from latentspeech.codec.convnext import stage
from latentspeech.core.nn.causal_conv import CausalConv1d
from latentspeech.core.nn.streaming import StreamingModule, StreamingSequential


class LogSpectrum(StreamingModule):
    """Samples (B, T, 1) -> log magnitudes of Hann windows and cepstrum, scaled (B, N, F + Q).

    Nothing is learned.
    """

    window: Tensor

    def __init__(
        self, window_length: int, hop_length: int, cepstrum_lags: tuple[int, int] | None
    ) -> None:
        super().__init__()
        self.window_length = window_length
        self.lags = slice(0, 0)
        if cepstrum_lags is not None:
            self.lags = slice(cepstrum_lags[0], cepstrum_lags[1] + 1)
        self.num_features = window_length // 2 + 1 + self.lags.stop - self.lags.start
        self.hop_length = hop_length
        self.register_buffer("window", torch.hann_window(window_length), persistent=False)

    def init_state(self, batch_size: int) -> Tensor:
        """The W - H samples before the first one, which are zeros."""
        return self.window.new_zeros(batch_size, self.window_length - self.hop_length)

    def step(self, x: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """x (B, T, 1) -> (B, T / H, F + Q); H divides T."""
        with torch.autocast(x.device.type, enabled=False):
            samples = torch.cat((state, x[..., 0].to(state.dtype)), dim=1)  # (B, W - H + T)
            frames = samples.unfold(1, self.window_length, self.hop_length)  # (B, N, W)
            spectrum = torch.fft.rfft(frames * self.window)
            power = spectrum.real.square() + spectrum.imag.square()
            features = power.clamp_min(SPECTRUM_FLOOR**2).log() * (0.5 * SPECTRUM_SCALE)
            if self.lags.stop:
                # The root makes the cepstrum of noise as large as its log spectrum.
                cepstrum = torch.fft.irfft(features)[..., self.lags] * math.sqrt(self.window_length)
                features = torch.cat((features, cepstrum), dim=-1)
        return features, samples[:, x.shape[1] :]


class StftEncoder(StreamingModule):
    """The encoder mu = Encoder(x), frame by frame."""

    def __init__(self, config: StftEncoderConfig, latent_dim: int) -> None:
        super().__init__()
        narrow, wide = config.frame_channels, config.latent_channels
        blocks = ConvNeXtConfig(
            kernel_size=config.kernel_size,
            ffn_factor=config.ffn_factor,
            layer_scale=config.layer_scale,
        )
        spectrum = LogSpectrum(config.window_length, config.hop_length, config.cepstrum_lags)
        self.layers = StreamingSequential(
            spectrum,
            nn.Linear(spectrum.num_features, narrow),
            stage(narrow, config.frame_depth, blocks),
            CausalConv1d(narrow, wide, config.downsampling, config.downsampling),
            stage(wide, config.latent_depth, blocks),
            CausalConv1d(wide, latent_dim, config.kernel_size),
        )

    def init_state(self, batch_size: int) -> Any:
        """The states of the layers."""
        return self.layers.init_state(batch_size)

    def step(self, x: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Samples x (B, T, 1) -> means (B, T / hop, D); the codec's hop divides T."""
        return self.layers.step(x, state)
