"""Sentence splitting: where it cuts, and that it loses no word."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentspeech.core.errors import ConfigError
from latentspeech.text.normalizer import NormalizedText, normalize
from latentspeech.text.sentences import split_normalized, split_sentences

CASES = [
    ("Hello there. How are you? Fine!", ["Hello there.", "How are you?", "Fine!"]),
    ("Take vitamin A. Take it.", ["Take vitamin A.", "Take it."]),
    ("Mr. Smith met Dr. Brown. They left.", ["Mr. Smith met Dr. Brown.", "They left."]),
    ("It is 3.5 km. Go.", ["It is 3.5 km.", "Go."]),
    ("J. R. R. Tolkien wrote. We read.", ["J. R. R. Tolkien wrote.", "We read."]),
    ("He was in the U.S. Army then.", ["He was in the U.S. Army then."]),
    ("at eight P M. They left", ["at eight P M.", "They left"]),
    ("Apples, pears, etc. They are fruit.", ["Apples, pears, etc.", "They are fruit."]),
    ("See No. 5 there. No. That is all.", ["See No. 5 there.", "No.", "That is all."]),
    ('"Why?" he asked. "Because."', ['"Why?" he asked.', '"Because."']),
    ("Wait... what? Well... Yes.", ["Wait... what?", "Well...", "Yes."]),
    ("A title\n\nA text\non two lines", ["A title", "A text on two lines"]),
    ("", []),
    (" ... - ", []),
    ("Yes. - No.", ["Yes.", "- No."]),
    ("We left the U.S. It was fun.", ["We left the U.S.", "It was fun."]),
    ("It was late. twenty men came.", ["It was late.", "twenty men came."]),
    ("He had... two apples.", ["He had... two apples."]),
    ("It was late. onewards", ["It was late. onewards"]),
    ("12. 13.", ["12.", "13."]),
]


@pytest.mark.parametrize(("text", "pieces"), CASES)
def test_cuts_at_sentence_ends(text: str, pieces: list[str]) -> None:
    assert split_sentences(text, 200) == pieces


def test_signs_alone_are_skipped_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert split_sentences("??? 5. Yes.", 200) == ["5.", "Yes."]
    assert "not spoken: 1, the first '???'" in caplog.text


def test_a_normalised_number_begins_a_sentence() -> None:
    spoken = normalize("He left in 1999. 20 men came. $5 is enough.")
    assert split_normalized(spoken, 200) == [
        "He left in nineteen ninety-nine.",
        "twenty men came.",
        "five dollars is enough.",
    ]


def test_lines_that_end_a_thought_are_sentences() -> None:
    written = "# To buy\n- milk\n- eggs\n\n1. wash\n2. dry\n\nRoses are red\nViolets are blue"
    assert split_normalized(normalize(written), 200) == [
        "To buy.", "Milk.", "Eggs.", "One, wash.", "Two, dry.", "Roses are red.",
        "Violets are blue",
    ]  # fmt: skip


def test_a_long_sentence_is_cut_at_clauses_then_words_then_letters() -> None:
    assert split_sentences("one two three; four five, six", 20) == [
        "one two three;",
        "four five, six",
    ]
    assert split_sentences("one two three four", 8) == ["one two", "three", "four"]
    assert split_sentences("abcdefghij k", 4) == ["abcd", "efgh", "ij k"]
    assert split_sentences("One two. Three four.", 9) == ["One two.", "Three", "four."]


def test_max_chars_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="max_chars = 0; expected at least 1"):
        split_sentences("Hello.", 0)


WRITTEN = [
    "Hello",
    "Mr.",
    "Dr.",
    "it's",
    "3.5",
    "end.",
    "why?",
    "so!",
    "well;",
    "but:",
    "and,",
    "-",
]
WRITTEN += ["J.", "U.S.", "etc.", "no.", '"Yes"', "\n\n"]
words = st.sampled_from(WRITTEN)
texts = st.lists(words, max_size=40).map(" ".join) | st.text(max_size=80)


@given(texts, st.integers(1, 60))
@settings(max_examples=400, deadline=None)
def test_no_word_is_lost_and_no_piece_is_too_long(text: str, max_chars: int) -> None:
    pieces = split_sentences(text, max_chars)
    assert all(0 < len(piece) <= max_chars for piece in pieces)
    assert all(any(c.isalnum() for c in piece) for piece in pieces)
    kept = "".join(c for c in "".join(pieces) if c.isalnum())
    assert kept == "".join(c for c in text if c.isalnum())


@given(texts)
@settings(max_examples=200, deadline=None)
def test_whole_words_stay_whole(text: str) -> None:
    spoken = normalize(text)
    longest = max(map(len, spoken.split()), default=1)
    joined = " ".join(split_sentences(spoken, longest)).split()
    assert [w for w in joined if any(map(str.isalnum, w))] == [
        w for w in spoken.split() if any(map(str.isalnum, w))
    ]


@pytest.mark.parametrize(
    "unit", ["a", "a ", ". ", "A. ", "a.", "\n", "U.S. ", "?", " ", "\n ", '?"', "\u3002", "; "]
)
def test_ten_kilobytes_are_fast(unit: str) -> None:
    start = time.process_time()
    split_sentences((unit * 10_000)[:10_000], 200)
    assert time.process_time() - start < 2.0  # of the processor; quadratic work takes minutes


def test_pieces_of_a_normalised_text_are_normalised() -> None:
    text = normalize('Dr. Lee said - "one, two, three and four, five; six" - and left at 5, then.')
    pieces = split_normalized(text, 20)
    assert all(isinstance(piece, NormalizedText) for piece in pieces)
    assert [normalize(str(piece)) for piece in pieces] == pieces
    assert not any(piece.endswith((",", ";")) for piece in pieces)
    words = " ".join(pieces).replace(",", "").replace(";", "").replace("- ", "").split()
    assert words == text.replace(",", "").replace(";", "").replace("- ", "").split()
