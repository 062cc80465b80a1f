import pytest
import torch
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.eval.metrics.delay import estimate_delay_s
from latentspeech.eval.metrics.narrow_band import is_narrow_band
from tests.tiny_models import voice_like

RATE = 24_000


def speech(seconds: float = 3.0, seed: int = 0) -> Tensor:
    """Noise in syllables, which has a clear envelope and all frequencies."""
    generator = torch.Generator().manual_seed(seed)
    num = int(seconds * RATE)
    loudness = torch.rand(int(seconds * 8) + 1, generator=generator).square()
    envelope = torch.nn.functional.interpolate(loudness[None, None], num, mode="linear")[0, 0]
    return 0.3 * envelope * torch.randn(num, generator=generator)


@pytest.mark.parametrize("samples", [0, 24, 480, 12_000])
def test_delay_of_a_waveform_is_exact(samples: int) -> None:
    audio = speech()
    later = torch.cat((torch.zeros(samples), audio))
    assert estimate_delay_s(audio, later, RATE) == samples / RATE
    assert estimate_delay_s(later, audio, RATE) == -samples / RATE


def test_delay_of_a_copy_without_its_phase_is_found_by_the_envelope() -> None:
    audio = speech()
    signs = torch.randn(len(audio), generator=torch.Generator().manual_seed(5)).sign()
    copy = torch.cat((torch.zeros(2400), audio * signs))
    assert estimate_delay_s(audio, copy, RATE) == pytest.approx(0.1, abs=0.003)
    assert estimate_delay_s(audio, audio * signs, RATE) == 0.0


def test_other_speech_and_silence_have_no_delay() -> None:
    assert estimate_delay_s(speech(seed=1), speech(seed=2), RATE) is None
    assert estimate_delay_s(speech(), torch.zeros(RATE), RATE) is None
    assert estimate_delay_s(torch.ones(1), torch.ones(1), RATE) is None


def test_telephone_speech_is_narrow_at_any_rate() -> None:
    wide = speech()
    assert not is_narrow_band(wide, RATE)
    telephone = resample(wide, RATE, 8000)
    assert is_narrow_band(telephone, 8000)
    for rate in (11_025, 16_000, RATE, 48_000):
        assert is_narrow_band(resample(telephone, 8000, rate), rate)
        assert not is_narrow_band(resample(wide, RATE, rate), rate)
    assert not is_narrow_band(voice_like(1.5), RATE)
