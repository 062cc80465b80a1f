"""PESQ-WB and STOI against the reference packages, and their bad input."""

import math

import pytest
import torch

from latentspeech.audio.io import resample
from latentspeech.core.errors import InputError
from latentspeech.core.eval.scorer import MetricUnavailable


@pytest.fixture
def pesq_scorer():
    pytest.importorskip("pesq")
    from latentspeech.eval.metrics.pesq_wb import PesqWideBand

    return PesqWideBand()


@pytest.fixture
def stoi_scorer():
    pytest.importorskip("pystoi")
    from latentspeech.eval.metrics.stoi import Stoi

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


def test_stoi_of_a_long_recording_is_the_mean_of_its_blocks(
    stoi_scorer, bursts, noisy, monkeypatch
):
    clean = bursts(6)
    whole = stoi_scorer.score(clean, noisy(clean, 0.1), 16000, None)
    assert whole.details["num_blocks"] == 1
    halves = zip(clean.chunk(2), noisy(clean, 0.1).chunk(2), strict=True)
    values = [stoi_scorer.score(a, b, 16000, None).value for a, b in halves]
    monkeypatch.setattr("latentspeech.eval.metrics.stoi.MAX_BLOCK_S", 3.0)
    score = stoi_scorer.score(clean, noisy(clean, 0.1), 16000, None)
    assert score.value == pytest.approx(sum(values) / 2, abs=1e-9)
    with_pause = torch.cat([clean, torch.zeros(48000)])
    score = stoi_scorer.score(with_pause, noisy(with_pause, 0.1), 16000, None)
    assert score.details["num_blocks"] == 2


def test_missing_packages_are_named_when_the_metric_is_prepared(monkeypatch):
    from latentspeech.eval.metrics.pesq_wb import PesqWideBand
    from latentspeech.eval.metrics.stoi import Stoi

    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for scorer, package in ((PesqWideBand(), "pesq"), (Stoi(), "pystoi")):
        with pytest.raises(MetricUnavailable, match=f"pip install {package}"):
            scorer.prepare()
