"""Log-mel spectrograms as DAC defines them, for the codec's loss and for the mel distance metric.

Kumar et al., High-Fidelity Audio Compression with Improved RVQGAN, 2023, arXiv 2306.06546.
They have a periodic Hann window, a hop of a quarter window, centred frames with reflected edges,
magnitudes (power 1), Slaney mel filters with Slaney norm from 0 Hz to Nyquist, a floor of 1e-5, and
log10.

B batch, T samples, N frames, W window_length, F = W // 2 + 1 bins, M num_mels.
"""

from typing import NamedTuple

import torch
import torchaudio
from torch import Tensor, nn

from latentspeech.core.tensors import check_shape

HOPS_PER_WINDOW = 4
LOG_FLOOR = 1e-5
# Filters are narrow, so this many neighbours share one small product with the few bins they need.
_FILTERS_PER_BLOCK = 64


class MelScale(NamedTuple):
    """One resolution: window_length samples, num_mels filters."""

    window_length: int
    num_mels: int


DAC_MEL_SCALES = (
    MelScale(32, 5),
    MelScale(64, 10),
    MelScale(128, 20),
    MelScale(256, 40),
    MelScale(512, 80),
    MelScale(1024, 160),
    MelScale(2048, 320),
)


def mel_filterbank(sample_rate: int, scale: MelScale) -> Tensor:
    """Slaney mel filters (F, M), equal to `librosa.filters.mel(...).T`.

    The first and last bin (0 Hz and Nyquist) have weight zero in every filter.
    """
    filters: Tensor = torchaudio.functional.melscale_fbanks(
        n_freqs=scale.window_length // 2 + 1,
        f_min=0.0,
        f_max=sample_rate / 2,
        n_mels=scale.num_mels,
        sample_rate=sample_rate,
        norm="slaney",
        mel_scale="slaney",
    )
    return filters


def split_frames(audio: Tensor, window_length: int) -> Tensor:
    """Centred frames with reflected edges. audio (B, T) -> (B, N, W), N = 1 + T // hop.

    A frame is four neighbouring hops, so four shifted copies take the place of the gather of
    `unfold`, whose backward is slow.
    """
    check_shape("audio", audio, "B", "T")
    half, hop = window_length // 2, window_length // HOPS_PER_WINDOW
    num_samples = audio.shape[1]
    if num_samples <= half:
        raise ValueError(
            f"audio has {num_samples} samples; expected more than {half}, half the mel window; "
            "use longer segments"
        )
    padded = nn.functional.pad(audio[:, None], (half, half), mode="reflect")[:, 0]
    num_frames = 1 + num_samples // hop
    num_hops = num_frames + HOPS_PER_WINDOW - 1
    hops = padded[:, : num_hops * hop].reshape(-1, num_hops, hop)
    shifted = [hops[:, first : first + num_frames] for first in range(HOPS_PER_WINDOW)]
    return torch.cat(shifted, dim=2)  # (B, N, W)


class MelBank(nn.Module):
    """The filters and the window of one scale, and the products with them."""

    window: Tensor

    def __init__(self, scale: MelScale, sample_rate: int) -> None:
        super().__init__()
        self.scale = scale
        window = torch.hann_window(scale.window_length)
        self.register_buffer("window", window, persistent=False)
        filters = mel_filterbank(sample_rate, scale)
        self._blocks: list[tuple[slice, slice]] = []
        for first in range(0, scale.num_mels, _FILTERS_PER_BLOCK):
            block = filters[:, first : first + _FILTERS_PER_BLOCK]
            used = block.sum(dim=1).nonzero()[:, 0]
            bins = slice(int(used[0]), int(used[-1]) + 1)
            self.register_buffer(f"block_{first}", block[bins].contiguous(), persistent=False)
            self._blocks.append((slice(first, first + block.shape[1]), bins))

    def spectrum(self, audio: Tensor) -> Tensor:
        """Complex short-time spectrum. (B, T) -> (B, N, F)."""
        frames = split_frames(audio, self.scale.window_length)
        spectrum: Tensor = torch.fft.rfft(frames.mul_(self.window))
        return spectrum

    def mels(self, magnitude: Tensor) -> Tensor:
        """(B, N, F) -> (B, N, M)."""
        products = [magnitude[..., bins] @ self._weights(mels) for mels, bins in self._blocks]
        return torch.cat(products, dim=-1)

    def mels_transposed(self, mels_gradient: Tensor) -> Tensor:
        """The gradient of `mels` by its input. (B, N, M) -> (B, N, F)."""
        num_bins = self.scale.window_length // 2 + 1
        gradient = mels_gradient.new_zeros(*mels_gradient.shape[:-1], num_bins)
        for mels, bins in self._blocks:
            gradient[..., bins] += mels_gradient[..., mels] @ self._weights(mels).T
        return gradient

    def forward(self, audio: Tensor) -> Tensor:
        """Log-mel spectrogram, differentiable. (B, T) -> (B, N, M)."""
        # abs() of a complex zero has gradient zero, where sqrt would give NaN.
        return self.mels(self.spectrum(audio).abs()).clamp(min=LOG_FLOOR).log10()

    def _weights(self, mels: slice) -> Tensor:
        weights: Tensor = self.get_buffer(f"block_{mels.start}")
        return weights
