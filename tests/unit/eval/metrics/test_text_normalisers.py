import pytest

from latentspeech.core.errors import ConfigError
from latentspeech.eval.metrics.text_normalisers import (
    NORMALISERS,
    LibriSpeechNormaliser,
    WhisperNormaliser,
    check_normaliser,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Mr. Quilter IS the apostle!", "mr quilter is the apostle"),
        ("well-known, twenty-two", "well known twenty two"),
        ("don\u2019t  'quote' ' me", "don't 'quote' me"),
        ("Caf\u00e9 na\u00efve", "cafe naive"),
        ("20 dollars & 5\u00a2", "20 dollars 5"),
        ("...", ""),
        ("", ""),
    ],
)
def test_librispeech_keeps_letters_digits_and_apostrophes(text, words):
    assert LibriSpeechNormaliser()(text) == words


def test_whisper_is_the_package_and_maps_numbers_and_titles():
    pytest.importorskip("whisper_normalizer")
    from whisper_normalizer.english import EnglishTextNormalizer

    normalise = WhisperNormaliser()
    normalise.prepare("WER")
    text = "Dr. Smith's colour cost twenty dollars, um, isn't it?"
    assert normalise(text) == EnglishTextNormalizer()(text).strip()
    assert "$20" in normalise(text)
    assert normalise("hmm, um") == ""
    assert "whisper-normalizer 0." in normalise.describe()


def test_normalising_twice_changes_nothing():
    for kind in NORMALISERS.values():
        once = kind()("It's 9:30; Mr. O'Neil's colours fade - don't they?")
        assert kind()(once) == once


def test_an_unknown_normaliser_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"'nemo'; choose from whisper, librispeech"):
        check_normaliser("nemo")
