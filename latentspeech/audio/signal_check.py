"""Checks that samples can be measured: mono, finite, not empty, not silent.

T samples.
"""

import torch
from torch import Tensor

from latentspeech.core.errors import InputError

# Peaks at or below -80 dBFS count as digital silence, which no listener or model can use.
SILENCE_PEAK = 1e-4


def check_signal(role: str, audio: Tensor, sample_rate: int) -> Tensor:
    """Returns `audio` (T,) as float32 on the CPU; InputError unless finite and not empty."""
    if sample_rate <= 0:
        raise InputError(f"sample rate is {sample_rate} Hz; expected a positive number")
    if audio.dim() != 1:
        raise InputError(f"{role} audio has shape {tuple(audio.shape)}; expected mono, (T,)")
    if audio.numel() == 0:
        raise InputError(f"{role} audio is empty; expected at least one sample")
    audio = audio.detach().to(device="cpu", dtype=torch.float32)
    if not bool(torch.isfinite(audio).all()):
        raise InputError(f"{role} audio holds NaN or infinite samples; expected finite numbers")
    return audio


def is_silent(audio: Tensor) -> bool:
    """Whether no sample exceeds -80 dBFS."""
    return float(audio.abs().max()) <= SILENCE_PEAK
