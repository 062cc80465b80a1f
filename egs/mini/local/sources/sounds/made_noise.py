"""Noises made by rule: hiss, rumble, hum, crackle, sweeps, tones, 24 kHz, ten seconds each.

Each is drawn from its own name, so a second run makes the same.
"""

import itertools
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from egs.mini.local.sources.protocol import Recording, Waveform
from latentspeech.core.seeds import derive_seed

_SAMPLE_RATE = 24000
_NUM_SAMPLES = 10 * _SAMPLE_RATE
_NUM_OF_EACH = 15
_SHAPES = ("coloured", "band", "hum", "crackle", "sweep", "tones", "gusts", "clicks")


class MadeNoise:
    """Fifteen of each shape: twenty minutes."""

    licence = "CC0-1.0 (made by this recipe)"

    def recordings(self) -> Iterator[Recording]:
        """All shapes in turn."""
        for number in range(_NUM_OF_EACH):
            for shape in _SHAPES:
                yield Recording(f"{shape}-{number:02d}", "made_noise", kind="noise")

    def load(self, recording: Recording) -> Waveform:
        """Draws it; the level is between -40 and -6 dB of full scale."""
        rng = np.random.default_rng(derive_seed(0, f"noise {recording.name}"))
        shape = recording.name.split("-")[0]
        samples = _MAKERS[shape](rng)
        level = 10 ** (rng.uniform(-40, -6) / 20)
        return Waveform((samples / np.abs(samples).max() * level).astype(np.float32), _SAMPLE_RATE)


def _time() -> NDArray[np.floating]:
    return np.arange(_NUM_SAMPLES) / _SAMPLE_RATE


def _filtered(rng: np.random.Generator, gain: NDArray[np.floating]) -> NDArray[np.float64]:
    """White noise with a gain over frequency (N/2 + 1,)."""
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(_NUM_SAMPLES)) * gain, _NUM_SAMPLES)


def _hertz() -> NDArray[np.floating]:
    return np.fft.rfftfreq(_NUM_SAMPLES, 1 / _SAMPLE_RATE)


def _coloured(rng: np.random.Generator) -> NDArray[np.floating]:
    """Between blue and brown: power falls as frequency to the -2 to +1."""
    return _filtered(rng, np.maximum(_hertz(), 20.0) ** (rng.uniform(-2.0, 1.0) / 2))


def _band(rng: np.random.Generator) -> NDArray[np.floating]:
    """A band of one to three octaves."""
    centre, octaves = 2 ** rng.uniform(np.log2(100), np.log2(8000)), rng.uniform(0.5, 1.5)
    distance = np.abs(np.log2(np.maximum(_hertz(), 1.0) / centre))
    return _filtered(rng, (distance < octaves).astype(np.float64))


def _hum(rng: np.random.Generator) -> NDArray[np.floating]:
    """Mains and its harmonics over a floor of hiss."""
    mains = rng.choice([50.0, 60.0]) * (1 + rng.normal(0, 1e-3))
    parts = [
        rng.uniform(0, 1) / order * np.sin(2 * np.pi * (mains * order * _time() + rng.uniform()))
        for order in range(1, 25)
    ]
    return np.sum(parts, axis=0) + 0.02 * rng.standard_normal(_NUM_SAMPLES)


def _crackle(rng: np.random.Generator) -> NDArray[np.floating]:
    """Sparse impulses through a resonance, as of rain or an old record."""
    hits = (rng.random(_NUM_SAMPLES) < 10 ** rng.uniform(-4, -2)) * rng.standard_normal(
        _NUM_SAMPLES
    )
    resonance, decay = rng.uniform(500, 6000), rng.uniform(5e-4, 5e-3)
    time = _time()[: round(8 * decay * _SAMPLE_RATE)]
    ring = np.exp(-time / decay) * np.sin(2 * np.pi * resonance * time)
    return np.convolve(hits, ring)[:_NUM_SAMPLES] + 1e-3 * rng.standard_normal(_NUM_SAMPLES)


def _sweep(rng: np.random.Generator) -> NDArray[np.floating]:
    """A sine that glides over some octaves, up and down."""
    low, high = np.log2(rng.uniform(60, 400)), np.log2(rng.uniform(1000, 10000))
    cycle = 0.5 - 0.5 * np.cos(2 * np.pi * rng.uniform(0.1, 1.0) * _time())
    hertz = 2 ** (low + (high - low) * cycle)
    return np.sin(2 * np.pi * np.cumsum(hertz) / _SAMPLE_RATE)


def _tones(rng: np.random.Generator) -> NDArray[np.floating]:
    """Pairs of sines that change several times a second, as of a telephone."""
    samples = np.zeros(_NUM_SAMPLES)
    edges = np.sort(rng.integers(0, _NUM_SAMPLES, rng.integers(8, 40)))
    for start, end in itertools.pairwise(edges):
        if rng.random() < 0.7:
            for hertz in rng.uniform(200, 4000, 2):
                samples[start:end] += np.sin(2 * np.pi * hertz * _time()[: end - start])
    return samples + 1e-3 * rng.standard_normal(_NUM_SAMPLES)


def _gusts(rng: np.random.Generator) -> NDArray[np.floating]:
    """Brownish noise that swells and fades, as of wind or passing cars."""
    slow = _filtered(rng, (_hertz() < rng.uniform(0.3, 3.0)).astype(np.float64))
    swell = np.exp(1.5 * slow / max(float(slow.std()), 1e-9))
    return _coloured(rng) * swell


def _clicks(rng: np.random.Generator) -> NDArray[np.floating]:
    """Short bursts of noise at a beat, as of typing."""
    samples = 1e-3 * rng.standard_normal(_NUM_SAMPLES)
    place = 0.0
    while place < 9.9:
        place += rng.exponential(1 / rng.uniform(3, 10)) + 0.03
        start = round(place * _SAMPLE_RATE)
        burst = samples[start : start + rng.integers(100, 1500)]
        burst += rng.standard_normal(len(burst)) * np.exp(-np.arange(len(burst)) / 200)
    return samples


_MAKERS = {
    "coloured": _coloured,
    "band": _band,
    "hum": _hum,
    "crackle": _crackle,
    "sweep": _sweep,
    "tones": _tones,
    "gusts": _gusts,
    "clicks": _clicks,
}
