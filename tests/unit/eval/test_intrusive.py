"""PESQ-WB, STOI and mel distance against the reference packages, and their bad input."""

import math

import pytest
import torch

from latentspeech.audio.io import resample
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.eval.mel_distance import MelDistance


@pytest.fixture
def pesq_scorer():
    pytest.importorskip("pesq")
    from latentspeech.eval.pesq_wb import PesqWideBand

    return PesqWideBand()


@pytest.fixture
def stoi_scorer():
    pytest.importorskip("pystoi")
    from latentspeech.eval.stoi import Stoi

    return Stoi()


@pytest.mark.parametrize("level", [0.0, 0.003, 0.03])
def test_pesq_equals_the_package_at_16_khz(pesq_scorer, speech, noisy, level):
    from pesq import pesq

    clean = resample(speech, 24000, 16000)
    tested = noisy(clean, level)
    expected = pesq(16000, clean.numpy(), tested.numpy(), "wb")
    assert pesq_scorer.score(clean, tested, 16000, None).value == pytest.approx(expected, abs=1e-6)


def test_pesq_resamples_other_rates_and_trims(pesq_scorer, speech, noisy):
    at_24k = pesq_scorer.score(speech, noisy(speech), 24000, None).value
    clean, tested = (resample(x, 24000, 16000) for x in (speech, noisy(speech)))
    assert pesq_scorer.score(clean, tested, 16000, None).value == pytest.approx(at_24k, abs=1e-6)
    longer = torch.cat([noisy(speech), torch.ones(5000)])
    score = pesq_scorer.score(speech, longer, 24000, None)
    assert score.value == pytest.approx(at_24k, abs=1e-6)
    assert score.details["length_difference_s"] == pytest.approx(5000 / 24000)


def test_pesq_of_a_long_recording_with_many_pauses_does_not_crash(pesq_scorer, bursts, noisy):
    # 43 bursts in 30 s are within the package's 50; 86 in 60 s end the process there.
    clean = bursts(60)
    score = pesq_scorer.score(clean, noisy(clean), 16000, None)
    assert score.details["num_blocks"] == 3
    thirds = zip(clean.chunk(3), noisy(clean).chunk(3), strict=True)
    values = [pesq_scorer.score(a, b, 16000, None).value for a, b in thirds]
    assert score.value == pytest.approx(sum(values) / 3, abs=1e-6)


def test_pesq_refuses_what_it_cannot_measure(pesq_scorer, speech):
    with pytest.raises(InputError, match="hypothesis audio is silent"):
        pesq_scorer.score(speech, torch.zeros_like(speech), 24000, None)
    with pytest.raises(InputError, match="reference audio is silent"):
        pesq_scorer.score(torch.zeros_like(speech), speech, 24000, None)
    with pytest.raises(InputError, match=r"0\.100 s.*0\.25 s"):
        pesq_scorer.score(speech[:2400], speech, 24000, None)
    with pytest.raises(InputError, match="NaN"):
        pesq_scorer.score(speech, torch.full_like(speech, math.nan), 24000, None)


@pytest.mark.parametrize("sample_rate", [10000, 24000])
def test_stoi_equals_the_package_at_the_native_rate(stoi_scorer, speech, noisy, sample_rate):
    from pystoi import stoi

    clean = resample(speech, 24000, sample_rate)
    tested = noisy(clean, 0.05)
    expected = stoi(clean.double().numpy(), tested.double().numpy(), sample_rate)
    value = stoi_scorer.score(clean, tested, sample_rate, None).value
    assert value == pytest.approx(expected, abs=1e-6)
    assert 0.3 < value < 0.999


def voiced_from(audio):
    """The first sample that is loud."""
    return int((audio.abs() > 0.05).nonzero()[0])


def test_stoi_of_silence_is_zero_and_of_too_little_speech_an_error(stoi_scorer, speech):
    assert stoi_scorer.score(speech, torch.zeros_like(speech), 24000, None).value == 0.0
    voiced = speech[voiced_from(speech) :]
    for num_samples in (1, 100, 1300, 6000):
        with pytest.raises(InputError, match=r"at least 0\.4 s"):
            stoi_scorer.score(voiced[:num_samples], voiced, 24000, None)
    mostly_silent = torch.cat([voiced[:3000], torch.zeros(48000)])
    with pytest.raises(InputError, match=r"at least 0\.4 s"):
        stoi_scorer.score(mostly_silent, mostly_silent, 24000, None)


def test_mel_distance_equals_librosa_with_dac_settings(speech, noisy):
    librosa = pytest.importorskip("librosa")
    import numpy as np

    tested = noisy(speech)
    expected = 0.0
    for window, num_mels in zip(
        (32, 64, 128, 256, 512, 1024, 2048), (5, 10, 20, 40, 80, 160, 320), strict=True
    ):
        mels = [
            librosa.feature.melspectrogram(
                y=x.numpy(),
                sr=24000,
                n_fft=window,
                hop_length=window // 4,
                n_mels=num_mels,
                power=1.0,
                pad_mode="reflect",
            )
            for x in (speech, tested)
        ]
        first, second = (np.log10(np.maximum(x, 1e-5)) for x in mels)
        expected += float(np.abs(first - second).mean())
    score = MelDistance().score(speech, tested, 24000, None)
    assert score.value == pytest.approx(expected, rel=1e-4)
    assert sum(score.details["scales"]) == pytest.approx(score.value)
    assert len(score.details["scales"]) == 7


def test_mel_distance_is_zero_for_a_copy_and_known_for_a_gain():
    generator = torch.Generator().manual_seed(0)
    loud = torch.randn(24000, generator=generator)
    scorer = MelDistance()
    assert scorer.score(loud, loud, 24000, None).value == 0.0
    # A gain of 10 is one unit of log10 at each of the seven scales.
    assert scorer.score(loud, loud / 10, 24000, None).value == pytest.approx(7.0, abs=1e-3)


def test_mel_distance_brings_all_audio_to_one_rate(speech, noisy):
    other = resample(speech, 24000, 48000), resample(noisy(speech), 24000, 48000)
    # The filters of resampling differ from the identity near 12 kHz only.
    at_24k = MelDistance().score(speech, noisy(speech), 24000, None).value
    assert MelDistance().score(*other, 48000, None).value == pytest.approx(at_24k, rel=0.1)
    with pytest.raises(ConfigError, match="8000 Hz"):
        MelDistance(sample_rate=8000)


def test_mel_distance_refuses_a_clip_shorter_than_its_window(speech):
    with pytest.raises(InputError, match="expects more than"):
        MelDistance().score(speech, speech[:2048], 24000, None)
    assert MelDistance().score(speech, torch.zeros_like(speech), 24000, None).value > 1.0
