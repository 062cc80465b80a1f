"""Pitch as a distribution over bins of equal width in cents, as in CREPE (Kim et al., 2018).

Where two octaves are likely, regression would give their mean; bins do not.

B batch, N frames, P pitch bins. The last of the logits (B, N, P + 1) is for being voiced.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from latentspeech.codec.config import NEAR_CENTS, PITCH_SHARPNESS, PitchConfig
from latentspeech.core.errors import ConfigError

# Standard deviation of the target around the true pitch, cents (CREPE's).
_TARGET_CENTS = 25.0


class PitchBins(nn.Module):
    """Converts between pitch in Hz and logits over the bins; nothing is learned."""

    log_pitch: Tensor  # (P,), natural logarithm of Hz

    def __init__(self, config: PitchConfig) -> None:
        super().__init__()
        bins = torch.linspace(math.log(config.min_hz), math.log(config.max_hz), config.bins)
        self.register_buffer("log_pitch", bins, persistent=False)

    def estimate(self, logits: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (B, N, P + 1) -> pitch (B, N) in Hz and probability of being voiced (B, N).

        The pitch is the mean of the bins around the most likely one; unvoiced frames have one too.
        """
        logits = logits.to(self.log_pitch.dtype)
        bins = logits[..., :-1]
        peak = (bins * PITCH_SHARPNESS).softmax(dim=-1) @ self.log_pitch  # (B, N)
        weights = bins.softmax(dim=-1) * self._bump(peak, NEAR_CENTS)
        weights = weights / weights.sum(dim=-1, keepdim=True).clamp_min(1e-30)
        pitch = (weights @ self.log_pitch).exp()
        return pitch.clamp_min(float(self.log_pitch[0].exp())), logits[..., -1].sigmoid()

    def loss(self, logits: Tensor, pitch: Tensor) -> Tensor:
        """Cross entropies (nats) of pitch and of voicing, added up.

        The logits are (B, N, P + 1), the pitch (B, N) is in Hz, 0 where unvoiced.
        """
        logits, voiced = logits.float(), (pitch > 0).float()
        target = self._bump(pitch.clamp_min(1.0).log(), _TARGET_CENTS) + 1e-12
        target = target / target.sum(dim=-1, keepdim=True)
        of_pitch = -(target * logits[..., :-1].log_softmax(dim=-1)).sum(dim=-1)  # (B, N)
        of_voicing = functional.binary_cross_entropy_with_logits(logits[..., -1], voiced)
        return (of_pitch * voiced).sum() / voiced.sum().clamp_min(1) + of_voicing

    def _bump(self, log_pitch: Tensor, deviation_cents: float) -> Tensor:
        """Gaussians over the bins (..., P) around each pitch (...)."""
        cents = (self.log_pitch - log_pitch[..., None]) * (1200 / math.log(2))
        return (-0.5 * (cents / deviation_cents).square()).exp()


def track_pitch(audio: Tensor, sample_rate: int, hop_length: int) -> Tensor:
    """Pitch of audio (B, T) at samples 0, hop, 2 hop, ... up to about T: Hz, 0 where unvoiced.

    It is found by DIO and StoneMask (Morise et al., 2009 and 2016) of pyworld, on the CPU.
    """
    try:
        import pyworld
    except ImportError as error:
        raise ConfigError(
            f"training a decoder with harmonics needs pyworld ({error}): pip install pyworld"
        ) from None
    tracks = []
    for samples in audio.double().cpu().numpy():
        pitch, times = pyworld.dio(
            samples, sample_rate, frame_period=1e3 * hop_length / sample_rate
        )
        tracks.append(torch.from_numpy(pyworld.stonemask(samples, pitch, times, sample_rate)))
    return torch.stack(tracks).to(audio)
