"""The difference in loudness of a copy from its original, over time and Bark bands, as in PESQ.

It is the measure of ITU-T P.862 and P.862.2 (wide band) as a loss: Martin-Donas et al., A Deep
Learning Loss Function based on the Perceptual Evaluation of the Speech Quality, 2018, doi
10.1109/LSP.2018.2871419. Copy and reference are scaled to one level and turned into spectra of
32 ms. Within limits, the reference is given the copy's spectral tilt, and the copy is given the
reference's level frame by frame. Then their loudness is compared:

    D  = |L' - L| beyond a quarter of the smaller     symmetric, per frame: L2 norm over bands
    DA = D times ((P' + 50) / (P + 50))^1.2, 0 below 3   asymmetric, what was added: L1 norm
    MOS before its scale = 4.5 - loss;  loss = 0.1 D + 0.0309 DA

Unlike P.862 it does not align in time, which a copy does not need, and it measures the level in the
spectrum. Bins beyond 8 kHz are ignored.

B batch, T samples, N frames, K bins, Z bands.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from latentspeech.codec.losses.loudness_bands import (
    BARK_CENTRES,
    BARK_WIDTHS,
    BINS_OF_BANDS,
    HEARING_THRESHOLDS,
    POWER_CORRECTIONS,
)
from latentspeech.core.tensors import check_shape

BIN_HZ = 31.25
_LEVEL = 1e7  # mean power to which 325 to 3250 Hz are scaled
_LEVEL_HZ = (325.0, 3250.0)
_SILENT = 1e-7  # references of no more mean power (full scale is 1) are not compared
_LEVEL_FLOOR = 1e-10  # added to the mean power that is scaled to _LEVEL
_POWER_SCALE = 6.910853e-6
_LOUDNESS_SCALE = 0.1866055
_ZWICKER_POWER = 0.23
# The wide-band input filter of P.862.2 at 16 kHz: numerator and denominator in z^-1.
_INPUT_FILTER = ((2.740826, -5.4816519, 2.740826), (1.0, -1.9444777, 0.94597794))
_WINDOW_FRAMES = 20  # 0.32 s; within a window the worst moments count most
_TINY = 1e-20


class Disturbance(NamedTuple):
    """Both kinds of disturbance of each row (B,)."""

    symmetric: Tensor
    asymmetric: Tensor


class LoudnessLoss(nn.Module):
    """0.1 D + 0.0309 DA, mean over the rows that are not silent."""

    threshold: Tensor
    exponent: Tensor
    width: Tensor
    bands: Tensor
    filter_power: Tensor
    window: Tensor

    def __init__(self, sample_rate: int) -> None:
        super().__init__()
        if sample_rate % 125 or sample_rate < 16000:
            raise ValueError(
                f"sample_rate {sample_rate}; expected a multiple of 125 Hz, from 16000"
            )
        self.frame_length = round(sample_rate / BIN_HZ)
        self.num_bins = sum(BINS_OF_BANDS)
        # P.862's constants are for spectra at 16 kHz; this scales others to match.
        self._rate_scale = (16000 / sample_rate) ** 2
        band_of_bin = torch.repeat_interleave(
            torch.arange(len(BINS_OF_BANDS)), torch.tensor(BINS_OF_BANDS)
        )
        bands = nn.functional.one_hot(band_of_bin).float()  # (K, Z)
        constants = {
            "threshold": torch.tensor(HEARING_THRESHOLDS),
            "exponent": _ZWICKER_POWER * (6 / (torch.tensor(BARK_CENTRES) + 2)).clamp(1, 2) ** 0.15,
            "width": torch.tensor(BARK_WIDTHS),
            "bands": bands * torch.tensor(POWER_CORRECTIONS) * _POWER_SCALE,
            "filter_power": _filter_power(self.num_bins),
            "window": torch.hann_window(self.frame_length),
        }
        for name, value in constants.items():
            self.register_buffer(name, value, persistent=False)

    def forward(self, estimate: Tensor, reference: Tensor) -> Tensor:
        """Estimate and reference (B, T), T at least 0.35 s -> scalar >= 0; 0 if all is silent."""
        audible = reference.float().square().mean(dim=1) > _SILENT
        if not audible.any():
            return estimate.sum() * 0.0
        found = self.disturbance(estimate[audible], reference[audible])
        return (0.1 * found.symmetric + 0.0309 * found.asymmetric).mean()

    def disturbance(self, estimate: Tensor, reference: Tensor) -> Disturbance:
        """Both kinds of disturbance, for audio (B, T) that is not silent."""
        check_shape("estimate", estimate, "B", "T")
        shortest = self.frame_length * (_WINDOW_FRAMES + 2) // 2
        if reference.shape != estimate.shape or reference.shape[1] < shortest:
            raise ValueError(
                f"estimate {tuple(estimate.shape)}, reference {tuple(reference.shape)}; expected "
                f"equal shapes of at least {shortest} samples"
            )
        with torch.autocast(estimate.device.type, enabled=False):
            made, real = self._power(estimate.float()), self._power(reference.float())
            real = self._tilted(real, made)
            made = self._levelled(made, real)
            return self._compare(made, real)

    def _power(self, audio: Tensor) -> Tensor:
        """Audio (B, T) -> power in Bark bands (B, N, Z), with speech at one level."""
        spectrum = torch.stft(
            audio,
            self.frame_length,
            self.frame_length // 2,
            window=self.window,
            center=False,
            return_complex=True,
        )
        spectrum = spectrum[:, : self.num_bins].transpose(1, 2)  # (B, N, K)
        power = spectrum.real.square() + spectrum.imag.square()
        first, last = (round(edge / BIN_HZ) for edge in _LEVEL_HZ)
        # Mean power of the band over time, as the windows see it.
        norm = 2 / (self.frame_length * self.window.square().sum())
        level = norm * power[..., first:last].sum(dim=2, keepdim=True).mean(dim=1, keepdim=True)
        scaled = power * (_LEVEL * self._rate_scale / (level + _LEVEL_FLOOR)) * self.filter_power
        return scaled @ self.bands

    def _audible(self, power: Tensor, factor: float) -> Tensor:
        """Power in bands where it exceeds `factor` times the hearing threshold, 0 elsewhere."""
        return torch.where(power > factor * self.threshold, power, 0.0)

    def _tilted(self, real: Tensor, made: Tensor) -> Tensor:
        """The reference with the copy's mean spectrum: a fixed tilt does not count."""
        speaks = (self._audible(real, 100)[..., 1:].sum(dim=2, keepdim=True) >= _LEVEL).float()
        mean_made = (self._audible(made, 100) * speaks).mean(dim=1, keepdim=True)
        mean_real = (self._audible(real, 100) * speaks).mean(dim=1, keepdim=True)
        return real * ((mean_made + 1000) / (mean_real + 1000)).clamp(0.01, 100)

    def _levelled(self, made: Tensor, real: Tensor) -> Tensor:
        """The copy scaled to the reference's level frame by frame."""
        above = [self._audible(power, 1)[..., 1:].sum(dim=2) + 5e3 for power in (real, made)]
        ratio = above[0] / above[1]  # (B, N)
        ratio = torch.cat([ratio[:, :1], 0.8 * ratio[:, 1:] + 0.2 * ratio[:, :-1]], dim=1)
        return made * ratio.clamp(3e-4, 5)[..., None]

    def _loudness(self, power: Tensor) -> Tensor:
        """Zwicker's law: power in bands (B, N, Z) -> loudness in sone, 0 below the threshold."""
        relative = (0.5 + 0.5 * power / self.threshold).clamp_min(1)
        return (
            _LOUDNESS_SCALE * (2 * self.threshold) ** self.exponent * (relative**self.exponent - 1)
        )

    def _compare(self, made: Tensor, real: Tensor) -> Disturbance:
        made_loud, real_loud = self._loudness(made), self._loudness(real)
        difference = (made_loud - real_loud).abs()
        beyond = (difference - 0.25 * torch.minimum(made_loud, real_loud)).clamp_min(0)
        added = ((made + 50) / (real + 50)) ** 1.2
        added = torch.where(added < 3, 0.0, added.clamp_max(12))
        weighted = (beyond * self.width)[..., 1:]
        width = self.width[1:].sum()
        symmetric = (weighted.square().sum(dim=2) * width + _TINY).sqrt()
        asymmetric = (weighted * added[..., 1:]).sum(dim=2)
        loud = self._audible(real, 1)[..., 1:].sum(dim=2)
        weight = ((loud + 1e5) / _LEVEL) ** 0.04
        return Disturbance(
            _over_time((symmetric / weight).clamp_max(45)),
            _over_time((asymmetric / weight).clamp_max(45)),
        )


def _over_time(frames: Tensor) -> Tensor:
    """(B, N) -> (B,): L6 norm over windows of 0.32 s that overlap by half, L2 norm over these."""
    windows = frames.clamp_min(1e-3).unfold(1, _WINDOW_FRAMES, _WINDOW_FRAMES // 2)
    largest = windows.pow(6).mean(dim=2).pow(1 / 6)
    return largest.square().mean(dim=1).sqrt()


def _filter_power(num_bins: int) -> Tensor:
    """|H|^2 of the input filter at the bins (K,)."""
    angles = torch.arange(num_bins, dtype=torch.float64) * (2 * math.pi * BIN_HZ / 16000)
    sides = []
    for taps in _INPUT_FILTER:
        delays = torch.arange(len(taps), dtype=torch.float64)
        response = torch.exp(-1j * angles[:, None] * delays) @ torch.tensor(
            taps, dtype=torch.complex128
        )
        sides.append(response.abs().square())
    return (sides[0] / sides[1]).float()
