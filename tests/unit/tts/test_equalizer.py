"""The filter that undoes the codec's colouring: its gains, its causality, how it is measured."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from latentspeech.core.tensors import make_generator
from latentspeech.tts.equalizer import Equalizer, log_gains, minimum_phase, window_length

RATE = 24_000


def gains_of_a_voice(strength: float = 0.3) -> Tensor:
    """Louder around 500 Hz, softer around 3 kHz, in float64."""
    hertz = torch.arange(401, dtype=torch.float64) * 30
    octaves = (hertz.clamp(min=1) / 500).log2()
    return strength * ((-octaves.square()).exp() - (-(octaves - 2.6).square()).exp())


def noise(seconds: float, seed: int = 0) -> Tensor:
    return 0.1 * torch.randn(round(seconds * RATE), generator=make_generator(seed, "noise"))


@pytest.mark.parametrize("rate", [16_000, 22_050, 24_000])
def test_the_window_is_even_and_a_thirtieth_of_a_second(rate: int) -> None:
    assert window_length(rate) % 2 == 0
    assert abs(window_length(rate) - rate / 30) <= 1


def test_the_filter_has_the_gains_that_were_asked_for() -> None:
    gains = gains_of_a_voice(0.7)
    response = torch.fft.rfft(minimum_phase(gains)).abs().log()
    torch.testing.assert_close(response, gains, rtol=0, atol=0.01)


def test_it_delays_least() -> None:
    """Most of the energy stands at the first tap; flat gains leave everything as it was."""
    taps = minimum_phase(gains_of_a_voice())
    assert taps[0].square() > 0.9 * taps.square().sum()
    flat = Equalizer(torch.zeros(401))
    audio = noise(0.2)[None, :, None]
    torch.testing.assert_close(flat(audio), audio, rtol=0, atol=1e-6)
    louder = Equalizer(torch.full((401,), math.log(1.5)))
    torch.testing.assert_close(louder(audio), 1.5 * audio, rtol=0, atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(sizes=st.lists(st.integers(1, 700), min_size=1, max_size=8))
def test_it_streams_exactly_and_equals_a_convolution(sizes: list[int]) -> None:
    filter_ = Equalizer(gains_of_a_voice())
    audio = noise(sum(sizes) / RATE).double()
    state = filter_.init_state(1)
    pieces = []
    for piece in audio[None, :, None].split(sizes, dim=1):
        y, state = filter_.step(piece, state)
        pieces.append(y)
    expected = torch.nn.functional.conv1d(
        torch.nn.functional.pad(audio, (len(filter_.taps) - 1, 0))[None, None],
        filter_.taps.flip(0)[None, None],
    )[0, 0]
    torch.testing.assert_close(torch.cat(pieces, dim=1)[0, :, 0], expected, rtol=0, atol=1e-12)


def test_it_sees_nothing_that_comes_later() -> None:
    audio = noise(0.05).double()[None, :, None].requires_grad_()
    filtered = Equalizer(gains_of_a_voice())(audio)
    (gradient,) = torch.autograd.grad(filtered[0, 500].sum(), audio)
    assert gradient[0, 501:].abs().max() < 1e-12  # rounding of the Fourier transform
    assert gradient[0, 500].abs() > 0.5


def test_a_colouring_is_measured_and_undone() -> None:
    recording = noise(8.0)
    wanted = gains_of_a_voice().float()
    coloured = Equalizer(-wanted)(recording[None, :, None])[0, :, 0]
    found = log_gains(recording, coloured, RATE)
    assert (found - wanted)[5:].abs().max() < 0.08
    restored = Equalizer(found)(coloured[None, :, None])[0, :, 0]
    assert log_gains(recording, restored, RATE)[5:].abs().max() < 0.04
    assert (restored - recording).square().mean() < 0.01 * recording.square().mean()


def test_gains_stay_within_six_decibels() -> None:
    """What the recording lacks altogether, and what the copy does."""
    hertz = torch.arange(401) * 30
    without_treble = Equalizer(torch.where(hertz < 4000, 0.0, -12.0))
    recording = noise(3.0)
    dull = without_treble(recording[None, :, None])[0, :, 0]
    for pair, sign in (((recording, dull), 1), ((dull, recording), -1)):
        gains = log_gains(*pair, RATE)
        assert gains[hertz > 8000].mean() == pytest.approx(sign * 0.7, abs=1e-3)
        assert gains[hertz < 2000].abs().max() < 0.05
