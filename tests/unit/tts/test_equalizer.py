"""The filter that undoes the codec's colouring: its gains, its causality, how it is measured."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from latentspeech.tts.equalizer import Equalizer, log_gains, minimum_phase, window_length
from latentspeech.tts.torch_equalizer import TorchEqualizer

RATE = 24_000
Reals = NDArray[np.floating]


def gains_of_a_voice(strength: float = 0.3) -> Reals:
    """Louder around 500 Hz, softer around 3 kHz, in float64."""
    octaves = np.log2(np.maximum(np.arange(401) * 30.0, 1) / 500)
    return strength * (np.exp(-(octaves**2)) - np.exp(-((octaves - 2.6) ** 2)))


def noise(seconds: float, seed: int = 0) -> NDArray[np.float32]:
    values = np.random.default_rng(seed).standard_normal(round(seconds * RATE))
    return 0.1 * values.astype(np.float32)


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000])
def test_the_window_is_even_and_a_thirtieth_of_a_second(rate: int) -> None:
    assert window_length(rate) % 2 == 0
    assert abs(window_length(rate) - rate / 30) <= 1


def test_the_filter_has_the_gains_that_were_asked_for() -> None:
    gains = gains_of_a_voice(0.7)
    response = np.log(np.abs(np.fft.rfft(minimum_phase(gains))))
    np.testing.assert_allclose(response, gains, rtol=0, atol=0.01)


def test_it_delays_least() -> None:
    """Most of the energy stands at the first tap; flat gains leave everything as it was."""
    taps = minimum_phase(gains_of_a_voice())
    assert taps[0] ** 2 > 0.9 * (taps**2).sum()
    audio = noise(0.2)[None]
    flat = Equalizer(np.zeros(401, dtype=np.float32))
    np.testing.assert_allclose(flat(audio), audio, rtol=0, atol=1e-6)
    louder = Equalizer(np.full(401, math.log(1.5), dtype=np.float32))
    np.testing.assert_allclose(louder(audio), 1.5 * audio, rtol=0, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=8))
def test_it_streams_exactly_and_equals_a_convolution(sizes: list[int]) -> None:
    filter_ = Equalizer(gains_of_a_voice())
    audio = noise(sum(sizes) / RATE).astype(np.float64)
    state = filter_.init_state(1)
    pieces = []
    for piece in np.split(audio[None], np.cumsum(sizes)[:-1], axis=1):
        y, state = filter_.step(piece, state)
        pieces.append(y[0])
    expected = np.convolve(audio, filter_.taps)[: len(audio)]
    np.testing.assert_allclose(np.concatenate(pieces), expected, rtol=0, atol=1e-12)


def test_it_sees_nothing_that_comes_later() -> None:
    audio = noise(0.05).astype(np.float64)[None]
    other = audio.copy()
    other[:, 501:] += 1
    filter_ = Equalizer(gains_of_a_voice())
    difference = filter_(other) - filter_(audio)
    assert np.abs(difference[:, :501]).max() < 1e-12  # rounding of the Fourier transform
    assert abs(difference[0, 501]) > 0.5


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_torch_filters_alike(dtype: type[np.floating]) -> None:
    """Whole and in pieces, to the rounding of the precision of the gains."""
    gains = gains_of_a_voice().astype(dtype)
    audio = noise(0.5).astype(dtype)[None]
    expected = Equalizer(gains)(audio)
    filter_ = TorchEqualizer(gains)
    state = filter_.init_state(1)
    pieces = []
    for piece in np.split(audio, [1000, 1001, 5000], axis=1):
        y, state = filter_.step(piece, state)
        pieces.append(y)
    error = np.abs(np.concatenate(pieces, axis=1) - expected).max()
    assert error < 10 * np.finfo(dtype).eps


def test_a_colouring_is_measured_and_undone() -> None:
    recording = noise(8.0)
    wanted = gains_of_a_voice().astype(np.float32)
    coloured = Equalizer(-wanted)(recording[None])[0]
    found = log_gains(recording, coloured, RATE)
    assert np.abs(found - wanted)[5:].max() < 0.08
    restored = Equalizer(found)(coloured[None])[0]
    assert np.abs(log_gains(recording, restored, RATE)[5:]).max() < 0.04
    assert ((restored - recording) ** 2).mean() < 0.01 * (recording**2).mean()


def test_gains_stay_within_six_decibels() -> None:
    """What the recording lacks altogether, and what the copy does."""
    hertz = np.arange(401) * 30
    without_treble = Equalizer(np.where(hertz < 4000, 0.0, -12.0))
    recording = noise(3.0)
    dull = without_treble(recording[None])[0].astype(np.float32)
    for pair, sign in (((recording, dull), 1), ((dull, recording), -1)):
        gains = log_gains(*pair, RATE)
        assert gains[hertz > 8000].mean() == pytest.approx(sign * 0.7, abs=1e-3)
        assert np.abs(gains[hertz < 2000]).max() < 0.05
