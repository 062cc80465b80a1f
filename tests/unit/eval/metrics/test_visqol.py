"""ViSQOL's modes against the package, and what they cannot measure."""

import pytest
import torch

from latentspeech.audio.io import resample
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.core.eval.scorer import MetricUnavailable
from latentspeech.eval.metrics.visqol import MODES, Visqol

pytest.importorskip("visqol")


def package_value(mode, clean, tested, sample_rate):
    from visqol import VisqolApi

    visqol = VisqolApi()
    visqol.create(**MODES[mode].options)
    rate = MODES[mode].sample_rate
    arrays = [resample(x, sample_rate, rate).double().numpy() for x in (clean, tested)]
    return visqol.measure_from_arrays(*arrays, rate).moslqo


@pytest.fixture
def scorer_of():
    def make(mode):
        scorer = Visqol(mode)
        try:
            scorer.prepare()
        except MetricUnavailable as error:
            pytest.skip(str(error))
        return scorer

    return make


@pytest.mark.parametrize("mode", MODES)
def test_equals_the_package(scorer_of, mode, speech, noisy):
    scorer = scorer_of(mode)
    clean, tested = speech[:60000], noisy(speech)[:60000]
    expected = package_value(mode, clean, tested, 24000)
    assert scorer.score(clean, tested, 24000, None).value == pytest.approx(expected, abs=1e-6)
    # Trimmed, not padded: the value is the one of the common length.
    longer = torch.cat([tested, torch.ones(9000)])
    score = scorer.score(clean, longer, 24000, None)
    assert score.value == pytest.approx(expected, abs=1e-6)
    assert score.details["length_difference_s"] == pytest.approx(9000 / 24000)


def test_a_copy_scores_what_the_mode_says(scorer_of, speech):
    speech = speech[:60000]
    assert scorer_of("speech").score(speech, speech, 24000, None).value == 5.0
    audio = scorer_of("audio").score(speech, speech, 24000, None).value
    assert audio == pytest.approx(4.732, abs=1e-3)
    assert 4.2 < scorer_of("speech-lattice").score(speech, speech, 24000, None).value < 4.8


def test_the_modes_differ_in_name_and_mapping():
    assert len({Visqol(mode).name for mode in MODES}) == len(MODES)
    assert Visqol("speech").describe()["copy_of_itself"] == "5.0"
    assert Visqol("audio").describe()["sample_rate"] == 48000
    with pytest.raises(ConfigError, match="speech-lattice"):
        Visqol("music")


def test_long_audio_is_the_mean_of_its_blocks(scorer_of, bursts, noisy, monkeypatch):
    scorer = scorer_of("speech")
    clean = bursts(6)
    whole = scorer.score(clean, noisy(clean), 16000, None)
    assert whole.details["num_blocks"] == 1
    monkeypatch.setattr("latentspeech.eval.metrics.visqol.MAX_BLOCK_S", 3.0)
    halves = zip(clean.chunk(2), noisy(clean).chunk(2), strict=True)
    expected = [scorer.score(a, b, 16000, None).value for a, b in halves]
    score = scorer.score(clean, noisy(clean), 16000, None)
    assert score.value == pytest.approx(sum(expected) / 2)
    silent_end = torch.cat([clean, torch.zeros(48000)])
    score = scorer.score(silent_end, noisy(silent_end), 16000, None)
    assert score.details["num_blocks"] == 2


@pytest.mark.parametrize("mode", ["speech", "audio"])
def test_what_cannot_be_measured_is_an_error(scorer_of, mode, speech):
    scorer = scorer_of(mode)
    with pytest.raises(InputError, match="hypothesis audio is silent"):
        scorer.score(speech, torch.zeros_like(speech), 24000, None)
    for num_samples in (1, 1200, 7200):
        piece = speech[24000 : 24000 + num_samples]
        with pytest.raises(InputError, match=r"about 1 s of speech"):
            scorer.score(piece, piece, 24000, None)


def test_a_missing_mapping_is_named(monkeypatch, speech):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MetricUnavailable, match="pip install visqol-python ai-edge-litert"):
        Visqol("speech-lattice").prepare()
