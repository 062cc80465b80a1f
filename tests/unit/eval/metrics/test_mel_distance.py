"""The four mel distances against slow implementations with librosa's filters."""

import math

import pytest
import torch

from latentspeech.audio.io import resample
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.eval.metrics.mel_distance import VARIANTS, MelDistance
from tests.reference.mel_distances import REFERENCES

NAMES = {
    "dac": "Mel",
    "dac-class": "Mel-DAC-class",
    "encodec": "Mel-Encodec",
    "vocos": "Mel-Vocos",
}


@pytest.mark.filterwarnings("ignore:Empty filters detected")  # Encodec's; librosa says so
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("num_samples", [12000, 15001])
def test_each_variant_equals_its_slow_reference(variant, num_samples, speech, noisy):
    clean, tested = speech[-30000:][:num_samples], noisy(speech)[-30000:][:num_samples]
    expected = REFERENCES[variant](clean.double().numpy(), tested.double().numpy())
    score = MelDistance(variant).score(clean, tested, 24000, None)
    assert score.value == pytest.approx(expected, rel=1e-5)
    assert math.fsum(score.details["scales"]) == score.value
    assert len(score.details["scales"]) == len(VARIANTS[variant].scales)


def test_every_variant_has_its_own_name_and_says_what_it_is():
    scorers = {variant: MelDistance(variant) for variant in VARIANTS}
    assert {variant: scorer.name for variant, scorer in scorers.items()} == NAMES
    descriptions = [scorer.describe() for scorer in scorers.values()]
    assert len({description["model"] for description in descriptions}) == len(scorers)
    assert MelDistance().name == "Mel"
    with pytest.raises(ConfigError, match="dac-class"):
        MelDistance("dacs")


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_copy_is_at_zero_and_blocks_do_not_change_the_value(variant, noisy, monkeypatch):
    loud = torch.randn(24000, generator=torch.Generator().manual_seed(0))
    scorer = MelDistance(variant)
    assert scorer.score(loud, loud, 24000, None).value < 1e-12
    whole = scorer.score(loud, noisy(loud), 24000, None).value
    monkeypatch.setattr("latentspeech.eval.metrics.mel_distance._BLOCK_SAMPLES", 5000)
    assert scorer.score(loud, noisy(loud), 24000, None).value == pytest.approx(whole, rel=1e-12)


def test_a_gain_has_a_known_distance():
    loud = torch.randn(24000, generator=torch.Generator().manual_seed(0))
    # A gain of 10 is one unit of log10 at each of the seven scales, and ln 10 in Vocos'.
    assert MelDistance().score(loud, loud / 10, 24000, None).value == pytest.approx(7.0, abs=1e-3)
    assert MelDistance("vocos").score(loud, loud / 10, 24000, None).value == pytest.approx(
        math.log(10), abs=1e-3
    )


def test_all_audio_is_brought_to_one_rate(speech, noisy):
    other = resample(speech, 24000, 48000), resample(noisy(speech), 24000, 48000)
    # The filters of resampling differ from the identity near 12 kHz only.
    at_24k = MelDistance().score(speech, noisy(speech), 24000, None).value
    assert MelDistance().score(*other, 48000, None).value == pytest.approx(at_24k, rel=0.1)
    with pytest.raises(ConfigError, match="8000 Hz"):
        MelDistance(sample_rate=8000)


def test_a_clip_shorter_than_the_longest_window_is_refused(speech):
    with pytest.raises(InputError, match="expects more than"):
        MelDistance().score(speech, speech[:2048], 24000, None)
    voiced = speech[24000:26048]
    assert MelDistance("vocos").score(voiced, voiced, 24000, None).value < 1e-12
    assert MelDistance().score(speech, torch.zeros_like(speech), 24000, None).value > 1.0
