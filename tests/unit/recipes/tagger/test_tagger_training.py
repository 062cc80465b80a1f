"""The tagger learns tags from sentences, and the reader takes the corpus's words and tags."""

import random
from pathlib import Path

import numpy as np

from latentspeech.text.pronunciation.tagger import ROWS, TAGS, Tagger
from recipes.tagger.train import penn, read_brown, short_sentences, third_person, to_bytes, train

NOUN = [("the", "DT"), ("record", "NN"), ("is", "BE"), ("old", "JJ"), (".", ".")]
VERB = [("we", "PPS"), ("record", "VB"), ("the", "DT"), ("song", "NN"), (".", ".")]


def test_a_word_gets_the_tag_that_its_neighbours_had() -> None:
    weights = to_bytes(train([NOUN, VERB] * 10, epochs=3, seed=0).averaged())
    assert weights.shape == (ROWS, len(TAGS))
    assert weights.dtype == np.int8
    tagger = Tagger(weights)
    for sentence in (NOUN, VERB):
        assert tagger.tag([word for word, _ in sentence]) == [tag for _, tag in sentence]


def test_the_shipped_tagger_knows_common_sentences() -> None:
    tagger = Tagger.load()
    for sentence, tags in (
        ("She will record the call .", "PPS MD VB DT NN ."),
        ("The old record was lost .", "DT JJ NN BE VBN ."),
    ):
        assert tagger.tag(sentence.split()) == tags.split()
    assert tagger.tag([]) == []


def test_tags_of_the_corpus_become_ours(tmp_path: Path) -> None:
    assert [penn(tag) for tag in ("vbd", "np-hl", "pps+bez", "nns-tl-hl", "fw-in", "--")] == [
        "VBD", "NNP", "PPS", "NNS", None, ":",
    ]  # fmt: skip
    (tmp_path / "ca01").write_text("``/`` He/pps read/vbd it/ppo ''/'' ./.\n\n", encoding="utf-8")
    expected = [("He", "PPS"), ("read", "VBD"), ("it", "PPO"), (".", ".")]
    assert list(read_brown(tmp_path)) == [expected]


def test_short_sentences_are_made_of_infinitives() -> None:
    sentence = [("to", "TO"), ("try", "VB"), ("it", "PPO"), ("now", "RB"), (".", ".")]
    nouns = {"NN": ["dog"], "NNS": ["dogs"]}
    chance = random.Random(0)
    made = [s for _ in range(60) for s in short_sentences(sentence, nouns, chance)]
    assert all(s[-1] == (".", ".") and s[0][0][0].isupper() for s in made)
    words = [" ".join(word for word, _ in s) for s in made]
    assert any(text.startswith("The dog tries it") for text in words)
    assert any(text.startswith("Try it") for text in words)
    assert [third_person(v) for v in ("go", "wash", "play")] == ["goes", "washes", "plays"]
