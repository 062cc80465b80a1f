"""The four mel distances frame by frame in numpy, with librosa's filters and windows."""

import numpy as np
from numpy.typing import NDArray

from latentspeech.eval.metrics.librosa_import import import_librosa

librosa = import_librosa()

Array = NDArray[np.float64]


def dac(first: Array, second: Array, rate: int = 24000) -> float:
    """Seven scales: the sum of the means of |difference of log10 magnitudes|."""
    total = 0.0
    for window, num_mels in (
        (32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320)
    ):  # fmt: skip
        mels = [_centred_mels(x, rate, window, num_mels) for x in (first, second)]
        logs = [np.log10(np.maximum(mel, 1e-5)) for mel in mels]
        total += float(np.abs(logs[0] - logs[1]).mean())
    return total


def dac_class(first: Array, second: Array, rate: int = 24000) -> float:
    """Two scales: differences of log10 squared magnitudes and of the magnitudes themselves."""
    total = 0.0
    for window, num_mels in ((2048, 150), (512, 80)):
        mels = [_centred_mels(x, rate, window, num_mels) for x in (first, second)]
        logs = [np.log10(np.maximum(mel, 1e-5) ** 2) for mel in mels]
        total += float(np.abs(logs[0] - logs[1]).mean() + np.abs(mels[0] - mels[1]).mean())
    return total


def encodec(first: Array, second: Array, rate: int = 24000) -> float:
    """Windows 2^6 to 2^10, 64 mels from 64 Hz: a tenth of L1 of the power plus L2 of its log10."""
    total = 0.0
    for exponent in range(6, 11):
        window, hop = 2**exponent, 2 ** (exponent - 2)
        filters = librosa.filters.mel(
            sr=rate, n_fft=window, n_mels=64, fmin=64.0, htk=True, norm=None, dtype=np.float64
        )
        hann = librosa.filters.get_window("hann", window, fftbins=True)
        mels = []
        for audio in (first, second):
            padded = np.pad(audio, (window - hop) // 2, mode="reflect")
            rows = []
            for start in range(0, len(audio), hop):
                frame = padded[start : start + window]
                frame = np.concatenate([frame, np.zeros(window - len(frame))])
                spectrum = np.fft.rfft(frame * hann) / np.sqrt((hann**2).sum())
                rows.append(filters @ np.abs(spectrum) ** 2)
            mels.append(np.array(rows))
        logs = [np.log10(1e-5 + mel) for mel in mels]
        total += float(np.abs(mels[0] - mels[1]).mean() + ((logs[0] - logs[1]) ** 2).mean())
    return total / 10


def vocos(first: Array, second: Array, rate: int = 24000) -> float:
    """One scale: 1024 samples, hop 256, 100 HTK mels without norm, natural log."""
    filters = librosa.filters.mel(
        sr=rate, n_fft=1024, n_mels=100, htk=True, norm=None, dtype=np.float64
    )
    mels = [filters @ _centred_magnitude(x, 1024) for x in (first, second)]
    logs = [np.log(np.maximum(mel, 1e-7)) for mel in mels]
    return float(np.abs(logs[0] - logs[1]).mean())


def _centred_mels(audio: Array, rate: int, window: int, num_mels: int) -> Array:
    filters = librosa.filters.mel(sr=rate, n_fft=window, n_mels=num_mels, dtype=np.float64)
    return np.asarray(filters @ _centred_magnitude(audio, window))


def _centred_magnitude(audio: Array, window: int) -> Array:
    hann = librosa.filters.get_window("hann", window, fftbins=True)
    padded = np.pad(audio, window // 2, mode="reflect")
    starts = range(0, len(audio) + 1, window // 4)
    frames = [np.abs(np.fft.rfft(padded[s : s + window] * hann)) for s in starts]
    return np.array(frames).T


REFERENCES = {"dac": dac, "dac-class": dac_class, "encodec": encodec, "vocos": vocos}
