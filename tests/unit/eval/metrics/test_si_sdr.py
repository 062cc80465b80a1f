"""SI-SDR where its value is known, and where it has none."""

import math

import pytest
import torch

from latentspeech.core.errors import InputError
from latentspeech.eval.metrics.si_sdr import SiSdr


def orthogonal_noise(clean, level_db):
    """Noise without mean and without a share of `clean`, `level_db` below it."""
    noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(2)).double()
    centred = clean.double() - clean.double().mean()
    noise -= noise.mean()
    noise -= (noise @ centred) / (centred @ centred) * centred
    return (noise * centred.norm() / noise.norm() * 10 ** (-level_db / 20)).float()


@pytest.mark.parametrize("level_db", [-5.0, 0.0, 10.0, 40.0])
def test_noise_at_a_known_level_has_that_ratio(speech, level_db):
    tested = speech + orthogonal_noise(speech, level_db)
    assert SiSdr().score(speech, tested, 24000, None).value == pytest.approx(level_db, abs=1e-3)


def test_gain_sign_and_offset_do_not_matter(speech, noisy):
    expected = SiSdr().score(speech, noisy(speech), 24000, None).value
    for other in (0.25 * noisy(speech), -noisy(speech), noisy(speech) + 0.1):
        value = SiSdr().score(speech, other, 24000, None).value
        assert value == pytest.approx(expected, abs=1e-3)


def test_equals_the_definition_in_plain_floats(speech, noisy):
    clean, tested = speech[20000:22000], noisy(speech, 0.05)[20000:22000]
    s, x = clean.double().tolist(), tested.double().tolist()
    s = [value - math.fsum(s) / len(s) for value in s]
    x = [value - math.fsum(x) / len(x) for value in x]
    gain = math.fsum(a * b for a, b in zip(s, x, strict=True)) / math.fsum(a * a for a in s)
    target = math.fsum((gain * a) ** 2 for a in s)
    distortion = math.fsum((b - gain * a) ** 2 for a, b in zip(s, x, strict=True))
    value = SiSdr().score(clean, tested, 24000, None).value
    assert value == pytest.approx(10 * math.log10(target / distortion), abs=1e-9)


def test_a_delay_is_not_searched(speech):
    late = torch.cat([torch.zeros(1), speech])
    assert SiSdr().score(speech, late, 24000, None).value < 20


def test_a_copy_silence_and_a_constant_have_no_value(speech):
    for copy in (speech, 0.5 * speech):
        with pytest.raises(InputError, match="of a copy is infinite"):
            SiSdr().score(speech, copy, 24000, None)
    with pytest.raises(InputError, match="hypothesis audio is silent"):
        SiSdr().score(speech, torch.zeros_like(speech), 24000, None)
    with pytest.raises(InputError, match="reference audio is constant"):
        SiSdr().score(torch.full_like(speech, 0.5), speech, 24000, None)
    with pytest.raises(InputError, match="hypothesis audio is constant"):
        SiSdr().score(speech, torch.full_like(speech, 0.5), 24000, None)
    # A cosine has nothing of a sine over whole periods, up to rounding: far below 0 dB.
    turns = 2 * torch.pi * torch.arange(24000) / 24
    assert SiSdr().score(turns.sin(), turns.cos(), 24000, None).value < -80
