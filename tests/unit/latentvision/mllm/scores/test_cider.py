"""CIDEr-D against its definition, worked out by hand, and against coco-caption where it is."""

import math
import random

import pytest

from latentvision.mllm.scores.cider import cider_d, words_of


def test_words() -> None:
    assert words_of("A dog's bone, red.") == ["a", "dog's", "bone", "red"]


def test_by_hand() -> None:
    """Two images: a unique word weighs log 2, a shared one nothing; equal captions score 10."""
    references = [["a red apple"], ["a green pear"]]
    same = cider_d(["a red apple", "a green pear"], references)
    # There is no n-gram of four words, so three of the four cosines are 1.
    assert same == pytest.approx([7.5, 7.5])
    nothing, half = cider_d(["a", "a green apple"], references)
    assert nothing == 0
    # Words: green, of green and pear, against green and apple: cosine 1/2. Pairs: "a green" of
    # two each: 1/2. Triples differ.
    assert half == pytest.approx(10 * (0.5 + 0.5 + 0) / 4)


def test_length_and_repetition_are_penalised() -> None:
    references = [["red apple"], ["green pear"]]
    exact, repeated, longer = (
        cider_d([text, "x"], references)[0]
        for text in ("red apple", "red apple red apple", "red apple on blue ground")
    )
    assert exact > longer > 0
    assert exact > repeated
    # One pair of words has become four: exp(-9 / 72) beside the cosines.
    pairs = 1 / math.sqrt(4)
    words = (math.log(2) ** 2 * 2) / (math.log(2) * math.sqrt(2) * math.log(2) * math.sqrt(5))
    assert longer == pytest.approx(10 / 4 * math.exp(-9 / 72) * (words + pairs))


def test_one_image_scores_zero_and_numbers_must_agree() -> None:
    assert cider_d(["a red apple"], [["a red apple"]]) == [0]
    assert cider_d([], []) == []
    with pytest.raises(ValueError, match="2 captions for 1 images"):
        cider_d(["a", "b"], [["a"]])


def test_numbers_that_coco_caption_gave() -> None:
    """pycocoevalcap 1.2, several references, repeated words."""
    captions = ["a red apple on a blue ground", "a dog", "the the the dog sits"]
    references = [
        ["a red apple on green ground", "an apple"],
        ["the dog runs on blue ground", "a dog sits", "dog"],
        ["the dog sits on the ground"],
    ]
    expected = [2.703931184, 2.138682023, 2.712271389]
    assert cider_d(captions, references) == pytest.approx(expected, abs=1e-8)


def test_against_coco_caption() -> None:
    scorer = pytest.importorskip("pycocoevalcap.cider.cider_scorer").CiderScorer()
    chance = random.Random(0)
    words = [
        "a",
        "the",
        "red",
        "blue",
        "green",
        "apple",
        "pear",
        "dog",
        "on",
        "ground",
        "sits",
        "runs",
    ]

    def sentence() -> str:
        return " ".join(chance.choice(words) for _ in range(chance.randint(1, 9)))

    captions = [sentence() for _ in range(40)]
    references = [[sentence() for _ in range(chance.randint(1, 5))] for _ in captions]
    for caption, own in zip(captions, references, strict=True):
        scorer += (caption, own)
    _, expected = scorer.compute_score()
    assert cider_d(captions, references) == pytest.approx(expected.tolist(), abs=1e-9)
