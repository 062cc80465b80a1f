"""Tells recordings of 8 kHz, such as telephone calls, at whatever rate their files have.

T samples.
"""

import torch
from torch import Tensor

NARROW_BAND_HZ = 4000
# The energy of a frequency, on average, is compared between what a telephone passes and what no
# recording of 8 kHz holds; a filter of resampling lets a little through between the two.
_PASSED_HZ = 2000, 3400
_EDGE_HZ = 4600
_LEAST_RATIO = 10**-3.5  # -35 dB: speech that was recorded at a higher rate falls by 10 to 25 dB


def is_narrow_band(audio: Tensor, sample_rate: int) -> bool:
    """Returns whether (T,) has practically no energy above 4 kHz; False for less than a frame."""
    if sample_rate / 2 <= NARROW_BAND_HZ:
        return True
    window = torch.hann_window(1024)
    if len(audio) < len(window):
        return False
    spectrum = torch.stft(audio.float(), len(window), window=window, return_complex=True)
    power = spectrum.abs().square().mean(dim=1)  # (513,)
    bins = torch.linspace(0, sample_rate / 2, len(power))
    passed = power[(bins > _PASSED_HZ[0]) & (bins < _PASSED_HZ[1])].mean()
    return bool(power[bins > _EDGE_HZ].mean() < _LEAST_RATIO * passed)
