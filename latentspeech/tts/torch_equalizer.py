"""The equalizer's filter in torch, beside torch's codec; it is the reference of equalizer.py.

B batch, T samples, F frequencies, K taps.
"""

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from latentspeech.core.nn.streaming import StreamingModule
from latentspeech.tts.equalizer import FINER


class EqualizerModule(StreamingModule):
    """The causal filter that applies log gains (F,)."""

    taps: Tensor  # (K,)

    def __init__(self, gains: Tensor) -> None:
        super().__init__()
        self.register_buffer("taps", _minimum_phase(gains), persistent=False)

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


class TorchEqualizer:
    """The filter for numpy arrays, as `Equalizer` is."""

    def __init__(self, gains: NDArray[np.floating]) -> None:
        self._module = EqualizerModule(torch.as_tensor(gains))

    def init_state(self, batch_size: int) -> Any:
        """Returns the K - 1 samples before the first one, which are zeros."""
        return self._module.init_state(batch_size)

    @torch.inference_mode()
    def step(self, x: NDArray[np.floating], state: Any) -> tuple[NDArray[np.floating], Any]:
        """x (B, T) -> (B, T)."""
        y, state = self._module.step(torch.as_tensor(x)[..., None], state)
        return y[..., 0].numpy(), state


def _minimum_phase(gains: Tensor) -> Tensor:
    """Returns taps (K,) of the minimum-phase filter with log gains (F,), by its cepstrum."""
    length = 2 * (len(gains) - 1)
    size = FINER * length
    finer = functional.interpolate(
        gains.double()[None, None], size // 2 + 1, mode="linear", align_corners=True
    )[0, 0]
    cepstrum = torch.fft.irfft(finer, size)
    cepstrum[1 : size // 2] *= 2  # the part at negative times moves to positive times
    cepstrum[size // 2 + 1 :] = 0
    return torch.fft.irfft(torch.fft.rfft(cepstrum).exp(), size)[:length].to(gains)
