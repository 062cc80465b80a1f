import pytest
import torch

from latentspeech.audio.io import load_audio
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.eval.metrics.catalogue import make_scorer
from latentspeech.eval.metrics.similarity import SpeakerSimilarity
from latentspeech.eval.models.speakers.load import load_speaker_model

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
    assert scorer.score(speech, speech, 24000, None).value == pytest.approx(1.0, abs=1e-6)
    assert 2.0 < same_score.details["hypothesis_heard_s"] <= same.numel() / 24000


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


def test_what_is_missing_is_named_by_what_the_voice_is_held_against(speech):
    for name, wanted in (
        ("sim-ge2e", "a reference recording"),
        ("sim-ge2e-o", "the prompt's recording"),
        ("sim-ge2e-r", "the codec's copy of the prompt"),
    ):
        with pytest.raises(InputError, match=f"compares with {wanted}; none was given"):
            make_scorer(name).score(None, speech, 24000, None)


def test_names_say_model_side_and_prefix_and_one_model_serves_them(speech, monkeypatch):
    names = ("sim-ge2e", "sim-ge2e-o", "sim-ge2e-r", "sim-ge2e-o+prefix")
    scorers = [make_scorer(name) for name in names]
    assert [scorer.name for scorer in scorers] == [
        "SIM-GE2E",
        "SIM-o-GE2E",
        "SIM-r-GE2E",
        "SIM-o-GE2E+prefix",
    ]
    assert [scorer.held_against for scorer in scorers][:3] == [
        "reference",
        "prompt",
        "codec_prompt",
    ]
    assert [scorer.describe()["prefix"] for scorer in scorers[1:]] == [
        "excluded",
        "excluded",
        "included",
    ]
    assert make_scorer("sim-wavlm-tdnn-o").name == "SIM-o-WavLM-TDNN"
    embedded = []
    model = load_speaker_model("ge2e")
    embed = model._embed
    monkeypatch.setattr(model, "_embed", lambda audio: embedded.append(1) or embed(audio))
    prompt = 0.9 * speech
    for scorer in scorers:
        for level in (0.5, 0.6):
            scorer.score(prompt, level * speech, 24000, None)
    assert len(embedded) == 3  # the prompt and two hypotheses, for four metrics


def test_a_wrong_setting_is_refused():
    with pytest.raises(
        ConfigError, match=r"'nothing'; choose from reference, prompt, codec_prompt"
    ):
        SpeakerSimilarity("ge2e", "nothing")
    with pytest.raises(ConfigError, match="unknown speaker model 'x'"):
        SpeakerSimilarity("x")


@pytest.mark.slow
def test_ten_minutes_of_a_voice_are_still_that_voice(scorer, speech):
    minutes = speech.repeat(600 * 24000 // len(speech) + 1)
    assert scorer.score(speech, minutes, 24000, None).value > 0.95
