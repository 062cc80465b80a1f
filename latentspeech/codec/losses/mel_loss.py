"""The reconstruction loss of the codec: DAC's multi-scale mel distance.

It is the mean absolute difference of log10 mel spectrograms, summed over seven scales (Kumar et
al., 2023, arXiv 2306.06546). The defaults are DAC's training settings, not those of its class (two
scales, power 2).

With `level_exponent` a > 0 a difference is weighted by the reference's mel magnitude to the power
a, and the weights have mean 1. Half of a speech recording's mels lie 50 dB and more below its
loudest, where nobody hears them; without weights a small codec spends half its effort there.

The loss takes much of a small codec's training step on a CPU, so value and gradient are computed
together by hand. This is nearly twice as fast as autograd through torch.stft, owing to a cheap
complex magnitude, an inverse real FFT as backward of the real FFT, banded filters, and work in
place.

B batch, T samples, N frames, W window_length, F = W // 2 + 1 bins, M mels.
"""

import math
from typing import Any, Self

import torch
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor, nn

from latentspeech.audio.mel import DAC_MEL_SCALES, HOPS_PER_WINDOW, LOG_FLOOR, MelBank, MelScale
from latentspeech.core.config import Config
from latentspeech.core.tensors import check_shape

# Bins with less magnitude than this are zero but for rounding, so their gradient has no direction.
_TINY = 1e-12


class MultiScaleMelLossConfig(Config):
    """Scales of the mel loss; the defaults are DAC's."""

    sample_rate: PositiveInt = Field(default=24000, description="sample rate of the audio, Hz")
    window_lengths: tuple[PositiveInt, ...] = Field(
        default=tuple(scale.window_length for scale in DAC_MEL_SCALES),
        description="analysis windows, samples, multiples of 4; the hop is a quarter of each",
    )
    num_mels: tuple[PositiveInt, ...] = Field(
        default=tuple(scale.num_mels for scale in DAC_MEL_SCALES),
        description="mel filters of each window",
    )
    weights: tuple[float, ...] = Field(
        default=(1.0,) * len(DAC_MEL_SCALES),
        description="factor of each scale's mean distance, >= 0",
    )

    level_exponent: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="power by which loud mels weigh more; DAC's is 0, that of loudness about 0.3",
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not len(self.window_lengths) == len(self.num_mels) == len(self.weights) >= 1:
            raise ValueError(
                f"window_lengths, num_mels and weights have {len(self.window_lengths)}, "
                f"{len(self.num_mels)} and {len(self.weights)} entries; expected equally many"
            )
        if any(length % HOPS_PER_WINDOW for length in self.window_lengths):
            raise ValueError("window_lengths must be multiples of 4")
        if min(self.weights) < 0:
            raise ValueError("weights must not be negative")
        return self

    @property
    def scales(self) -> tuple[MelScale, ...]:
        """Window and mel count of each scale."""
        pairs = zip(self.window_lengths, self.num_mels, strict=True)
        return tuple(MelScale(*pair) for pair in pairs)


class MultiScaleMelLoss(nn.Module):
    """Sum over scales of weight * mean |log mel of estimate - log mel of reference|."""

    def __init__(self, config: MultiScaleMelLossConfig) -> None:
        super().__init__()
        self.config = config
        self.banks = nn.ModuleList(MelBank(scale, config.sample_rate) for scale in config.scales)

    def forward(self, estimate: Tensor, reference: Tensor) -> Tensor:
        """Estimate and reference (B, T) -> scalar. No gradient reaches the reference."""
        check_shape("estimate", estimate, "B", "T")
        check_shape("reference", reference, *estimate.shape)
        # A spectrum in bfloat16 has too few bits for a floor of 1e-5.
        with torch.autocast(estimate.device.type, enabled=False):
            total = torch.zeros((), device=estimate.device)
            for bank, weight in zip(self.banks, self.config.weights, strict=True):
                assert isinstance(bank, MelBank)
                target = _log_mel(bank, reference.detach().to(bank.window.dtype))
                levels = _level_weights(target, self.config.level_exponent)
                total = total + weight * _distance(bank, estimate, target, levels)
        return total


def _distance(bank: MelBank, estimate: Tensor, target: Tensor, levels: Tensor) -> Tensor:
    """Mean of levels * |log mel of estimate - target|; target and levels (B, N, M)."""
    estimate = estimate.to(bank.window.dtype)
    if not estimate.requires_grad:
        return (_log_mel(bank, estimate) - target).abs_().mul_(levels).mean()
    distance: Tensor = _MeanLogMelDistance.apply(estimate, target, levels, bank)  # type: ignore[no-untyped-call]
    return distance


def _level_weights(log_mel: Tensor, exponent: float) -> Tensor:
    """Weights (B, N, M) of mean 1 that grow with the level; for exponent 0 the scalar 1."""
    if exponent == 0:
        return log_mel.new_ones(())
    weights = (log_mel * (exponent * math.log(10))).exp_()
    return weights.div_(weights.mean())


def _log_mel(bank: MelBank, audio: Tensor) -> Tensor:
    return bank.mels(_magnitude(bank.spectrum(audio))).clamp_min_(LOG_FLOOR).log10_()


class _MeanLogMelDistance(torch.autograd.Function):
    """mean levels |log10 max(mel(estimate), floor) - target|, with its gradient by the estimate."""

    @staticmethod
    def forward(
        ctx: Any, estimate: Tensor, target: Tensor, levels: Tensor, bank: MelBank
    ) -> Tensor:
        spectrum = bank.spectrum(estimate)  # (B, N, F)
        magnitude = _magnitude(spectrum)
        mels = bank.mels(magnitude)  # (B, N, M)
        difference = mels.clamp_min(LOG_FLOOR).log10_().sub_(target)
        distance = difference.abs().mul_(levels).mean()
        # d |log10 mel - target| / d mel = sign / (mel * ln 10), and zero at the floor.
        slope = torch.sign(difference).mul_(mels > LOG_FLOOR).div_(mels.clamp_min_(LOG_FLOOR))
        slope.mul_(levels)
        slope.div_(math.log(10) * difference.numel())
        # d |X| / d X points along X / |X|.
        pull = bank.mels_transposed(slope).div_(magnitude.clamp_min_(_TINY))
        spectrum.mul_(pull)
        # The transpose of rfft is half the unscaled irfft: irfft counts each inner bin twice, and
        # the two outer bins, which it counts once, are in no mel filter.
        window_length = bank.scale.window_length
        frames = torch.fft.irfft(spectrum, n=window_length, norm="forward").mul_(0.5 * bank.window)
        ctx.save_for_backward(_add_frames(frames, estimate.shape[1]))
        return distance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * gradients[0], None, None, None


def _magnitude(spectrum: Tensor) -> Tensor:
    """|spectrum|; on a CPU well over twice as fast as `abs`, which guards against overflow."""
    power = spectrum.real * spectrum.real
    return power.addcmul_(spectrum.imag, spectrum.imag).sqrt_()


def _add_frames(frames: Tensor, num_samples: int) -> Tensor:
    """The transpose of `split_frames`: overlap-add, then fold the edges back. -> (B, T)."""
    batch_size, num_frames, window_length = frames.shape
    hop, half = window_length // HOPS_PER_WINDOW, window_length // 2
    hops = frames.new_zeros(batch_size, num_frames + HOPS_PER_WINDOW - 1, hop)
    for first in range(HOPS_PER_WINDOW):
        hops[:, first : first + num_frames] += frames[..., first * hop : (first + 1) * hop]
    padded = hops.reshape(batch_size, -1)
    missing = num_samples + 2 * half - padded.shape[1]  # samples behind the last whole hop
    padded = nn.functional.pad(padded, (0, missing))
    audio = padded[:, half : half + num_samples].clone()
    audio[:, 1 : half + 1] += padded[:, :half].flip(1)
    audio[:, num_samples - half - 1 : num_samples - 1] += padded[:, half + num_samples :].flip(1)
    return audio
