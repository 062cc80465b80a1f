"""The pitch of the harmonic decoder and the pulses it drives."""

import math

import pytest
import torch
from torch import Tensor

from latentspeech.codec.config import HarmonicDecoderConfig, PitchConfig
from latentspeech.codec.decoders.harmonic_decoder import HarmonicDecoder
from latentspeech.codec.decoders.harmonic_source import HarmonicSource
from latentspeech.codec.decoders.istft_head import IstftHead
from latentspeech.codec.pitch import PitchBins, track_pitch

RATE, WINDOW, HOP = 24_000, 800, 200


def bumps(bins: PitchBins, *peaks: tuple[float, float]) -> Tensor:
    """Logits (1, 1, P + 1) of a distribution with Gaussian peaks at (Hz, weight)."""
    density = torch.full_like(bins.log_pitch, 1e-9)
    for hertz, weight in peaks:
        cents = (bins.log_pitch - math.log(hertz)) * 1200 / math.log(2)
        density += weight * (-0.5 * (cents / 25) ** 2).exp()
    return torch.cat((density.log(), torch.tensor([3.0])))[None, None]


def sounding(pitch: Tensor) -> Tensor:
    """The pulses of a pitch track (N,) as samples (N H,)."""
    spectra = HarmonicSource(RATE, WINDOW, HOP)(pitch[None])
    head = IstftHead(1, WINDOW, HOP)
    return head.synthesize(spectra, head.init_state(1))[0][0, :, 0]


@pytest.mark.parametrize("hertz", [70.0, 141.3, 220.0, 480.0])
def test_a_peak_is_read_to_a_cent(hertz: float) -> None:
    bins = PitchBins(PitchConfig())
    pitch, voicing = bins.estimate(bumps(bins, (hertz, 1.0)))
    assert abs(1200 * math.log2(float(pitch) / hertz)) < 1
    assert float(voicing) == pytest.approx(torch.tensor(3.0).sigmoid())


def test_of_two_octaves_the_likelier_is_taken_and_not_their_mean() -> None:
    bins = PitchBins(PitchConfig())
    pitch, _ = bins.estimate(bumps(bins, (110.0, 1.0), (220.0, 0.6)))
    assert abs(1200 * math.log2(float(pitch) / 110)) < 20


def test_the_loss_is_least_at_the_true_pitch_and_ignores_pitch_where_unvoiced() -> None:
    bins = PitchBins(PitchConfig())
    true = torch.tensor([[150.0]])
    losses = {hertz: float(bins.loss(bumps(bins, (hertz, 1.0)), true)) for hertz in (100, 150, 300)}
    assert min(losses, key=losses.__getitem__) == 150
    unvoiced = torch.zeros(1, 1)
    answers = [bins.loss(bumps(bins, (hertz, 1.0)), unvoiced) for hertz in (100, 300)]
    assert answers[0] == answers[1] > 3  # and being sure of a voice there costs


def test_steady_pulses_repeat_every_period_with_a_peak_of_one_a_harmonic() -> None:
    audio = sounding(torch.full((60,), 200.0))[WINDOW:-WINDOW]
    torch.testing.assert_close(audio[120:], audio[:-120], rtol=0, atol=1e-4)
    spectrum = HarmonicSource(RATE, WINDOW, HOP)(torch.full((1, 3), 300.0))[0, 1].abs()
    harmonics = spectrum[10::10][:38]  # bins of 30 Hz
    torch.testing.assert_close(harmonics, torch.ones_like(harmonics), rtol=0, atol=0.01)


def test_a_glide_keeps_its_phase() -> None:
    """The fundamental of pulses gliding 100 to 200 Hz turns as fast as the pitch says."""
    pitch = torch.linspace(100, 200, 240)
    audio = sounding(pitch).double()
    # The fundamental alone: demodulated by the true phase it stands still.
    centres = torch.arange(240, dtype=torch.float64) * HOP + WINDOW / 2
    samples = torch.arange(len(audio), dtype=torch.float64)
    slope = 100 / 239 / HOP
    hertz = 100 + slope * (samples - centres[0])
    turns = (hertz / RATE).cumsum(0)
    still = audio * torch.polar(torch.ones_like(turns), -2 * math.pi * turns)
    smooth = still[: len(still) // 2400 * 2400].view(-1, 2400).mean(dim=1)[1:-1]  # 0.1 s each
    drift = (smooth[1:] / smooth[:-1]).angle().abs()
    assert drift.max() < 0.1  # radians a tenth of a second


def test_the_tracker_finds_the_pitch_of_pulses() -> None:
    audio = sounding(torch.full((240,), 180.0))
    pitch = track_pitch(audio[None], RATE, HOP)[0]
    assert abs(len(pitch) - 240) <= 1
    voiced = pitch[20:-20]
    assert (1200 * (voiced / 180).log2()).abs().max() < 10


def test_the_decoder_sounds_at_a_given_pitch() -> None:
    decoder = HarmonicDecoder(HarmonicDecoderConfig(latent_depth=1, frame_depth=1), 32, RATE)
    with torch.no_grad():
        decoder.head.linear.bias -= 8  # the pulses alone
        decoder.head.linear.weight *= 0
        given = torch.full((1, 240), 160.0)
        audio, logits = decoder.forward_at_pitch(torch.zeros(1, 30, 32), given)
    assert logits.shape == (1, 240, 181)
    period = audio[0, 4000:-4000, 0]
    assert torch.corrcoef(torch.stack((period[150:], period[:-150])))[0, 1] > 0.99
    silent, _ = decoder.forward_at_pitch(torch.zeros(1, 30, 32), torch.zeros(1, 240))
    assert silent.abs().max() < 0.05 * audio.abs().max()


@pytest.mark.parametrize("num_samples", [1600, 4000, 16_000])
def test_the_tracked_pitch_has_a_value_a_frame(num_samples: int) -> None:
    decoder = HarmonicDecoder(HarmonicDecoderConfig(latent_depth=0, frame_depth=0), 32, RATE)
    pitch = decoder.track_pitch(torch.zeros(2, num_samples))
    latents = -(-num_samples // 1600)
    assert pitch.shape == (2, 8 * latents)
    assert not pitch.any()
