"""The constant delay of a copy against its original, by cross-correlation.

The waveforms are compared first. A vocoder that keeps no phase has no peak there, so then the
envelopes are compared, which is less exact. Most metrics that compare two signals search no delay.

T samples.
"""

import torch
from torch import Tensor

MAX_DELAY_S = 1.0
HEARD_S = 30.0  # from the start
# A correlation of less than this is no sign of one signal in the other.
_LEAST_CORRELATION = 0.5
# Smaller delays are taken for none: a frame of the envelope is 1 ms long, and its peak is wide.
LEAST_WAVEFORM_S = 0.0005
LEAST_ENVELOPE_S = 0.005
_FRAME_S = 0.001
_SMOOTHED_FRAMES = 5


def estimate_delay_s(reference: Tensor, hypothesis: Tensor, sample_rate: int) -> float | None:
    """Returns by how many seconds the hypothesis (T',) is later than the reference (T,).

    The result is negative if it is earlier, 0 if no delay is certain, and None if the two signals
    are not alike.
    """
    heard = int(HEARD_S * sample_rate)
    signals = [_centred(audio[:heard].float()) for audio in (reference, hypothesis)]
    lag, correlation = _best_lag(signals[0], signals[1], int(MAX_DELAY_S * sample_rate))
    delay_s, least_s = lag / sample_rate, LEAST_WAVEFORM_S
    if correlation < _LEAST_CORRELATION:
        frame = max(1, round(_FRAME_S * sample_rate))
        envelopes = [_envelope(signal, frame) for signal in signals]
        most = round(MAX_DELAY_S * sample_rate / frame)
        lag, correlation = _best_lag(envelopes[0], envelopes[1], most)
        delay_s, least_s = lag * frame / sample_rate, LEAST_ENVELOPE_S
    if correlation < _LEAST_CORRELATION:
        return None
    return delay_s if abs(delay_s) >= least_s else 0.0


def _envelope(audio: Tensor, frame: int) -> Tensor:
    """Smoothed magnitudes of (T,), one a frame, without their mean."""
    size = _SMOOTHED_FRAMES * frame
    if len(audio) < size:
        return torch.zeros(1)
    magnitudes = torch.nn.functional.avg_pool1d(audio.abs()[None, None], size, frame)[0, 0]
    return _centred(magnitudes)


def _centred(audio: Tensor) -> Tensor:
    return audio - audio.mean()


def _best_lag(reference: Tensor, hypothesis: Tensor, most: int) -> tuple[int, float]:
    """Returns the lag of the largest correlation, and that correlation between -1 and 1."""
    norm = float(reference.norm() * hypothesis.norm())
    if norm == 0:
        return 0, 0.0
    most = min(most, max(len(reference), len(hypothesis)) - 1)
    size = 1 << (len(reference) + len(hypothesis) - 1).bit_length()
    spectrum = torch.fft.rfft(hypothesis, size) * torch.fft.rfft(reference, size).conj()
    products = torch.fft.irfft(spectrum, size)  # at lag n, or at size + n for a negative n
    lags = torch.cat((products[size - most :], products[: most + 1]))
    place = int(lags.argmax())
    return place - most, float(lags[place]) / norm
