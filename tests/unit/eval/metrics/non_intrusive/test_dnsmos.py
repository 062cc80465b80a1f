"""DNSMOS against the package that carries its networks."""

import numpy as np
import pytest
import torch

from latentspeech.audio.io import resample
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.eval.metrics.non_intrusive.dnsmos import Dnsmos


@pytest.fixture(scope="module")
def scorer():
    pytest.importorskip("speechmos")
    scorer = Dnsmos()
    scorer.prepare()
    return scorer


def test_equals_the_package(scorer, speech):
    from speechmos import dnsmos

    clip = resample(speech, 24000, 16000)
    two_windows = torch.cat([clip] * 4)[: 10 * 16000 + 500]
    expected = dnsmos.run(two_windows.numpy(), 16000)
    score = scorer.score(None, two_windows, 16000, None)
    assert score.value == pytest.approx(expected["ovrl_mos"], abs=1e-6)
    for name in ("sig", "bak", "p808"):
        assert score.details[name] == pytest.approx(expected[f"{name}_mos"], abs=1e-6)


def test_other_rates_are_resampled_and_the_networks_loaded_once(scorer, speech):
    networks = scorer._networks
    at_24k = scorer.score(None, speech, 24000, None)
    at_16k = scorer.score(None, resample(speech, 24000, 16000), 16000, None)
    assert at_24k.value == pytest.approx(at_16k.value, abs=1e-6)
    assert scorer._networks is networks


def test_overloaded_audio_is_clipped_and_counted(scorer, speech):
    loud = 4 * speech
    score = scorer.score(None, loud, 24000, None)
    assert score.details["num_clipped"] > 100
    clipped = scorer.score(None, resample(loud, 24000, 16000).clamp(-1, 1), 16000, None)
    assert score.value == pytest.approx(clipped.value, abs=1e-6)
    assert clipped.details["num_clipped"] == 0


def test_noise_scores_less_than_speech(scorer, speech):
    noise = 0.1 * np.random.default_rng(0).standard_normal(speech.numel())
    noise = torch.from_numpy(noise).float()
    values = [scorer.score(None, x, 24000, None).value for x in (speech, noise)]
    assert values[0] > values[1]


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MetricUnavailable, match="pip install speechmos"):
        Dnsmos().prepare()
