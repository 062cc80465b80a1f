"""DistillMOS against the package that carries its network."""

import pytest
import torch

from latentspeech.audio.io import resample
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.eval.metrics.non_intrusive.distillmos import DistillMos


@pytest.fixture(scope="module")
def scorer():
    pytest.importorskip("distillmos")
    scorer = DistillMos()
    scorer.prepare()
    return scorer


def test_equals_the_package_and_prints_nothing(speech, capsys):
    distillmos = pytest.importorskip("distillmos")
    scorer = DistillMos()
    scorer.prepare()
    assert capsys.readouterr().out == ""
    network = distillmos.ConvTransformerSQAModel().eval()
    clip = resample(speech, 24000, 16000)
    long = torch.cat([clip] * 5)[: 8 * 16000 + 5000]
    for audio, windows in ((clip, 1), (long, 2)):
        with torch.inference_mode():
            expected = float(network(audio[None]))
        score = scorer.score(None, audio, 16000, None)
        assert score.value == pytest.approx(expected, abs=1e-5)
        assert score.details["num_windows"] == windows


def test_level_and_rate_do_not_matter(scorer, speech):
    at_24k = scorer.score(None, speech, 24000, None)
    softer = scorer.score(None, 0.1 * resample(speech, 24000, 16000), 16000, None)
    assert at_24k.value == pytest.approx(softer.value, abs=1e-3)
    assert at_24k.details["duration_s"] == pytest.approx(speech.numel() / 24000)


def test_noise_scores_less_than_speech(scorer, speech):
    noise = 0.1 * torch.randn(speech.shape, generator=torch.Generator().manual_seed(0))
    values = [scorer.score(None, x, 24000, None).value for x in (speech, speech + noise)]
    assert values[0] > values[1]


@pytest.mark.parametrize("module", ["distillmos", "xls_r_sqa"])
def test_a_missing_package_is_named(monkeypatch, module):
    import importlib.util

    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == module else real(name)
    )
    with pytest.raises(MetricUnavailable, match=f"pip install {module.replace('_', '-')}"):
        DistillMos().prepare()
