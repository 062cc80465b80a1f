"""A stretched signal has the length that is asked and its own pitch, in any pieces."""

import numpy as np
import pytest
from numpy.typing import NDArray

from latentspeech.audio.stretching import Stretcher

RATE = 24_000


def voiced(seconds: float, pitch_hz: float = 120.0) -> NDArray[np.float32]:
    t = np.arange(int(seconds * RATE)) / RATE
    harmonics = sum(np.sin(2 * np.pi * k * pitch_hz * t) / k for k in range(1, 8))
    return (0.1 * harmonics).astype(np.float32)


def stretched(samples: NDArray[np.float32], rate: float, sizes: list[int]) -> NDArray[np.float32]:
    stretcher = Stretcher(RATE)
    parts = np.split(samples, np.cumsum(sizes))
    return np.concatenate([*(stretcher.step(part, rate) for part in parts), stretcher.finish()])


def pitch(samples: NDArray[np.float32]) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum) * RATE / len(samples))


@pytest.mark.parametrize("rate", [0.5, 0.75, 1.5, 2.0])
def test_the_length_changes_and_the_pitch_does_not(rate: float) -> None:
    samples = voiced(2.0)
    found = stretched(samples, rate, [])
    assert len(found) == round(len(samples) / rate)
    assert abs(pitch(found) - 120) < 1.5
    loud = np.sqrt((found**2).mean()) / np.sqrt((samples**2).mean())
    assert 0.95 < loud < 1.05


def test_pieces_do_not_matter() -> None:
    noise = np.random.default_rng(0).standard_normal(20_000).astype(np.float32)
    whole = stretched(noise, 1.3, [])
    assert np.array_equal(whole, stretched(noise, 1.3, [1, 1600, 1600, 7, 9000]))


def test_the_pace_may_change() -> None:
    stretcher = Stretcher(RATE)
    samples = voiced(3.0)
    parts = zip(np.split(samples, 3), (0.5, 2.0, 1.0), strict=True)
    found = np.concatenate([*(stretcher.step(*pair) for pair in parts), stretcher.finish()])
    assert len(found) == round(RATE * (2 + 0.5 + 1))
    for start_s in (0.2, 1.0, 2.05, 2.7):
        part = found[int(start_s * RATE) :][: RATE // 3]
        assert abs(pitch(part) - 120) < 3


def test_where_things_are_heard_moves_with_the_pace() -> None:
    """A click is found where the pace puts it, up to the range of search and a window."""
    samples = voiced(2.0) * 0.01
    samples[RATE : RATE + 240] = 0.9
    found = stretched(samples, 0.5, [])
    assert abs(int(np.argmax(np.abs(found))) - 2 * RATE) < 0.045 * RATE


def test_nothing_and_little_are_no_trouble() -> None:
    assert len(Stretcher(RATE).finish()) == 0
    assert len(stretched(voiced(0.004), 0.5, [])) == 192
