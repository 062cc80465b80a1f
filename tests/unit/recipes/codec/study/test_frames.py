"""The study's frames: a recording comes back from them, and each change does what it says."""

import pytest
import torch

from latentspeech.codec.decoders.istft_head import IstftHead
from recipes.codec.study import frames
from tests.tiny_models import voice_like

HEAD = IstftHead(4, 800, 200)
FADED = 600  # samples at the start in which not all frames overlap yet


def spectra(seconds: float = 0.5) -> torch.Tensor:
    audio = voice_like(seconds)[None]
    return frames.frames_of(HEAD, audio, audio.shape[1] // 200)


def test_a_recording_comes_back_from_its_frames() -> None:
    audio = voice_like(0.5)[None]
    again = frames.sound_of(HEAD, spectra())
    assert again.shape == audio.shape
    assert torch.allclose(again[:, FADED:], audio[:, FADED:], atol=1e-5)


def test_magnitude_and_phase_are_taken_from_where_they_should() -> None:
    one, other = spectra(), frames.random_phase(spectra().abs(), torch.Generator().manual_seed(1))
    mixed = frames.with_phase(2 * one.abs(), other)
    assert torch.allclose(mixed.abs(), 2 * one.abs(), rtol=1e-3, atol=1e-6)
    heard = one.abs() > 1e-4
    assert torch.allclose(mixed[heard].angle(), other[heard].angle(), atol=1e-3)
    assert torch.allclose(other.abs(), one.abs(), rtol=1e-4)
    assert not torch.allclose(other.angle()[heard], one.angle()[heard], atol=0.5)


def test_a_centred_phase_is_a_pulse_in_the_middle_of_the_frame() -> None:
    pulse = torch.fft.irfft(frames.centred_phase(torch.ones(1, 3, 401)))
    assert (pulse.argmax(dim=-1) == 400).all()
    assert torch.allclose(pulse.sum(dim=-1), pulse.max(dim=-1).values, atol=1e-4)


def test_phases_of_a_recording_are_consistent_and_random_ones_become_more_so() -> None:
    true = spectra()
    kept = frames.consistent_phase(HEAD, true.abs(), true, 3)
    # The first frames overlap with none before them, so their phases drift.
    assert torch.allclose(kept[:, 12:-12], true[:, 12:-12], atol=2e-2)

    def error(found: torch.Tensor) -> float:
        heard = frames.frames_of(HEAD, frames.sound_of(HEAD, found), found.shape[1])
        return float((heard.abs() - true.abs()).norm() / true.abs().norm())

    start = frames.random_phase(true.abs(), torch.Generator().manual_seed(0))
    assert error(frames.consistent_phase(HEAD, true.abs(), start, 16)) < 0.5 * error(start)


@pytest.mark.parametrize("edge_hz", [1000, 4000])
def test_bands_are_joined_at_the_edge(edge_hz: int) -> None:
    low, high = torch.zeros(1, 1, 401), torch.ones(1, 1, 401)
    joined = frames.joined_at(low, high, edge_hz, 24_000)
    first = -(-edge_hz // 30)  # bins are 30 Hz apart
    assert joined[0, 0, first] == 1
    assert joined.sum() == 401 - first


def test_thinned_frames_are_interpolated_in_the_logarithm() -> None:
    steps = torch.exp(torch.arange(9.0))[None, :, None].expand(1, 9, 5)
    assert torch.allclose(frames.thinned(steps, 1), steps)
    assert torch.allclose(frames.thinned(steps, 4), steps, rtol=1e-4)
    wobbling = steps.clone()
    wobbling[:, 2] = 100.0
    assert torch.allclose(frames.thinned(wobbling, 4), steps, rtol=1e-4)
    assert frames.thinned(steps[:, :8], 4).shape == (1, 8, 5)
