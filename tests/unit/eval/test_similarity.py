import pytest
import torch

from latentspeech.audio.io import load_audio
from latentspeech.core.errors import InputError
from latentspeech.eval.similarity import SpeakerSimilarity

pytest.importorskip("resemblyzer")
# Its dependencies use deprecated names of pkg_resources and scipy.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def scorer():
    return SpeakerSimilarity()


def test_a_voice_is_nearer_to_itself_than_to_another(scorer, speak, speech):
    text = "Please bring seven yellow umbrellas to the station before noon."
    same = load_audio(speak(text), 24000)
    other = load_audio(speak(text, "en-us+f3"), 24000)
    same_score = scorer.score(speech, same, 24000, None)
    assert same_score.value > 0.8
    assert scorer.score(speech, other, 24000, None).value < same_score.value - 0.1
    assert scorer.score(speech, speech, 24000, None).value == pytest.approx(1.0, abs=1e-5)
    assert 2.0 < same_score.details["hypothesis_voiced_s"] <= same.numel() / 24000


def test_the_value_equals_the_package(scorer, speak, speech):
    import numpy as np
    import resemblyzer

    from latentspeech.audio.io import resample

    other = load_audio(speak("Another voice says this.", "en-us+f3"), 24000)
    encoder = resemblyzer.VoiceEncoder(device="cpu", verbose=False)
    first, second = (
        encoder.embed_utterance(resemblyzer.preprocess_wav(resample(x, 24000, 16000).numpy()))
        for x in (speech, other)
    )
    expected = float(np.dot(first, second))
    assert scorer.score(speech, other, 24000, None).value == pytest.approx(expected, abs=1e-6)


def test_silence_and_too_little_voice_are_errors_that_name_the_side(scorer, speech):
    voiced = speech[int((speech.abs() > 0.05).nonzero()[0]) :]
    with pytest.raises(InputError, match="hypothesis audio is silent"):
        scorer.score(speech, torch.zeros(48000), 24000, None)
    with pytest.raises(InputError, match=r"reference audio has 0\.\d+ s of voice"):
        scorer.score(voiced[:100], speech, 24000, None)
    with pytest.raises(InputError, match=r"reference audio has 0\.\d+ s of voice"):
        scorer.score(voiced[:6000], speech, 24000, None)
    with pytest.raises(InputError, match="none was given"):
        scorer.score(None, speech, 24000, None)
