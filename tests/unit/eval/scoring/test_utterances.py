import pytest

from latentspeech.core.eval.buckets import make_buckets
from latentspeech.core.eval.report import ItemResult
from latentspeech.core.eval.scorer import Score
from latentspeech.eval.scoring.utterances import PARTS, duration_label, words_label
from tests.tiny_scorers import Peak, Pooled


@pytest.mark.parametrize(
    ("seconds", "label"),
    [
        (0.1, "below 2 s"),
        (2.0, "2 to 4 s"),
        (3.99, "2 to 4 s"),
        (4.0, "4 to 6 s"),
        (19.9, "15 to 20 s"),
        (20.0, "20 s and more"),
    ],
)
def test_every_length_has_one_part(seconds, label):
    assert duration_label(seconds)[1] == label


@pytest.mark.parametrize(
    ("words", "label"),
    [
        (1, "1 to 5 words"),
        (5, "1 to 5 words"),
        (6, "6 to 10 words"),
        (30, "21 to 30 words"),
        (31, "more than 30 words"),
    ],
)
def test_every_number_of_words_has_one_part(words, label):
    assert words_label(words)[1] == label


def utterance(number, duration_s, words, speaker, sex=None, value=None):
    scores = (
        {}
        if value is None
        else {"Peak": Score(value), "Pooled": Score(value, {"samples": 10 * words})}
    )
    facts = {"duration_s": duration_s, "num_words": words, "sex": sex}
    return ItemResult(
        f"u{number}",
        "h.wav",
        group=speaker,
        facts={name: value for name, value in facts.items() if value is not None},
        scores=scores,
    )


def test_parts_are_aggregated_like_the_corpus_in_the_order_of_a_table():
    rows = [
        utterance(0, 12.0, 3, "zoe", "female", 1.0),
        utterance(1, 1.0, 40, "adam", "male", 2.0),
        utterance(2, 3.0, 4, "zoe", "female", 3.0),
        utterance(3, 3.5, 40, "adam", "male", 5.0),
        utterance(4, 3.5, 40, "adam", "male"),  # not scored
    ]
    buckets = make_buckets(Peak(), rows, PARTS, seed=0, num_resamples=50)
    found = [(b.kind, b.label, b.value, b.num_scored) for b in buckets]
    assert found == [
        ("duration", "below 2 s", 2.0, 1),
        ("duration", "2 to 4 s", 4.0, 2),
        ("duration", "10 to 15 s", 1.0, 1),
        ("words", "1 to 5 words", 2.0, 2),
        ("words", "more than 30 words", 3.5, 2),
        ("speaker", "adam", 3.5, 2),
        ("speaker", "zoe", 2.0, 2),
        ("sex", "female", 2.0, 2),
        ("sex", "male", 3.5, 2),
    ]
    intervals = {bucket.label: bucket.interval for bucket in buckets}
    assert intervals["below 2 s"] is None
    assert intervals["2 to 4 s"] == (3.0, 5.0)
    pooled = {b.label: b.value for b in make_buckets(Pooled(), rows, PARTS, 0, 50)}
    assert pooled["1 to 5 words"] == pytest.approx(1e3 * 4 / 70)


def test_what_is_unknown_or_the_same_for_all_has_no_table():
    rows = [utterance(n, None, 0, "one", None, 1.0) for n in range(3)]
    assert make_buckets(Peak(), rows, PARTS, 0, 50) == []
    assert make_buckets(Peak(), [], PARTS, 0, 50) == []
