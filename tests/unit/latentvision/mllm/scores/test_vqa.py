"""VQA accuracy, against values worked out by hand from the rules of the data set's program."""

import json
from pathlib import Path

import pytest

from latentvision.mllm.documents.config import JsonLinesPagesConfig, open_pages
from latentvision.mllm.documents.page import Text
from latentvision.mllm.scores.answers import questions_of
from latentvision.mllm.scores.vqa import vqa_accuracy, without_articles, without_punctuation


@pytest.mark.parametrize(
    ("matching", "expected"), [(0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0)]
)
def test_agreement_with_nine_of_ten(matching: int, expected: float) -> None:
    """Of three who agree, seven choices of nine leave all three and three leave two."""
    given = ["dog"] * matching + [f"other {n}" for n in range(10 - matching)]
    assert vqa_accuracy("dog", given) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a dog", "dog"),
        ("The Two dogs", "2 dogs"),
        ("none", "0"),
        ("dont", "don't"),
        ("couldn'tve", "couldn't've"),
        ("couldntve", "couldntve"),
        ("its", "its"),
        ("twas", "'twas"),
    ],
)
def test_words(text: str, expected: str) -> None:
    assert without_articles(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("black-and-white", "black and white"),
        ("black - white", "black  white"),
        ("yes, it is", "yes it is"),
        ("1,000", "1000"),
        ("2.5 miles.", "2.5 miles"),
        ("what?", "what "),
        ("it's", "it's"),
    ],
)
def test_punctuation(text: str, expected: str) -> None:
    assert without_punctuation(text) == expected


def test_people_are_compared_as_they_stand_if_they_agree() -> None:
    assert vqa_accuracy("the dog", ["dog"] * 10) == 1.0
    assert vqa_accuracy("Two", ["2"] * 10) == 1.0
    assert vqa_accuracy("two", ["two"] * 10) == 0.0  # no digits are made of people's words
    assert vqa_accuracy("t shirt", ["t-shirt"] * 10) == 0.0
    assert vqa_accuracy("t shirt", [*["t-shirt"] * 9, "shirt"]) == 1.0
    assert vqa_accuracy("t-shirt", [*["t-shirt"] * 9, "shirt"]) == 1.0


def test_one_answer_is_no_agreement() -> None:
    with pytest.raises(ValueError, match="1 answers of people; expected ten"):
        vqa_accuracy("dog", ["dog"])


def test_pages_with_the_answers_of_ten_people(tmp_path: Path) -> None:
    given = ["dog"] * 4 + ["a dog"] * 5 + ["cat"]
    parts = [{"picture": "0.png"}, {"question": "What is it?"}, {"answers": given}]
    (tmp_path / "0.jsonl").write_text(json.dumps({"parts": parts}) + "\n")
    page = open_pages(JsonLinesPagesConfig(location=str(tmp_path), pictures=tmp_path)).page(0)
    assert page.kind == "questions"
    assert page.parts[2] == Text("a dog", "answer", tuple(given))
    (question,) = questions_of([page])
    assert (question.answer, question.given) == ("a dog", tuple(given))
