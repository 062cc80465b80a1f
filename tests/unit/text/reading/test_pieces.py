"""A text becomes pieces whose words know the written words, with pauses between them."""

import pytest

from latentspeech.core.errors import ConfigError, InputError
from latentspeech.text.reading import PLAIN, Delivery, Lexicon, Pauses, Reading, read_text
from latentspeech.text.reading.spoken_words import word_owners


def read(text: str, delivery: Delivery = PLAIN, max_chars: int = 200) -> Reading:
    return read_text(text, delivery, max_chars, lambda normal: normal)


def pairs(reading: Reading) -> list[tuple[str, str]]:
    """Each written word that is spoken, and what is spoken for it."""
    found: dict[int, list[str]] = {}
    for piece in reading.pieces:
        words = [word for word in piece.text.split() if any(map(str.isalnum, word))]
        for owner, word in zip(piece.owners, words, strict=True):
            found.setdefault(owner, []).append(word.strip(".,!?"))
    return [(reading.words[owner].text, " ".join(words)) for owner, words in found.items()]


def test_each_written_word_has_what_is_spoken_for_it() -> None:
    text = "Dr. Smith's dog costs $5.50 (on March 3, 2024) \u2014 or 3:30 p.m., he & I said."
    assert pairs(read(text)) == [
        ("Dr.", "Doctor"),
        ("Smith's", "Smith's"),
        ("dog", "dog"),
        ("costs", "costs"),
        ("$5.50", "five dollars and fifty cents"),
        ("(on", "on"),
        ("March", "March"),
        ("3,", "third"),
        ("2024) \u2014", "twenty twenty-four"),
        ("or", "or"),
        ("3:30", "three thirty"),
        ("p.m.,", "P M"),
        ("he &", "he and"),
        ("I", "I"),
        ("said.", "said"),
    ]


def test_words_that_are_spoken_in_another_order_are_one() -> None:
    assert ("$5 million", "five million dollars") in pairs(read("It costs $5 million a year."))
    assert pairs(read("It is EUR 30."))[2:] == [("EUR", "thirty"), ("30.", "euros")]


def test_words_that_are_not_spoken_have_no_part() -> None:
    """Mark-up between words; the words after it are found again."""
    text = 'Go to <a href="x y z">the old shop</a> now, with 12 eggs.'
    spoken = [pair for pair in pairs(read(text)) if pair[0] != pair[1]]
    assert ("12", "twelve") in spoken
    assert ("eggs.", "eggs") in pairs(read(text))
    assert "".join(said for _, said in pairs(read(text))) == "Gototheoldshopnowwithtwelveeggs"


def test_a_word_that_is_not_spoken_does_not_join_its_neighbour() -> None:
    """Nor does it share the time of "$5 million", whose parts are spoken in another order."""
    spoken = ["It", "costs", "five", "million", "dollars", "today"]
    found = word_owners(
        ["It", "costs", "$5", "million", "\u041f\u0440\u0438", "-", "today"], spoken
    )
    assert found.of_spoken == [0, 1, 2, 2, 2, 6]
    assert found.joined == {3, 5}


def test_a_long_text_keeps_its_owners() -> None:
    words = [f"word{'abcdefghij'[k % 10]}" if k % 7 else str(k) for k in range(3000)]
    found = pairs(read(" ".join(words)))
    assert [written for written, _ in found] == words
    assert found[2996 - 2996 % 7][1].startswith("two thousand nine hundred")


def test_lost_words_do_not_move_the_others() -> None:
    read_words = ["one", "two", "x", "y", "three", "four"]
    assert word_owners(read_words, ["one", "two", "three", "four"]).of_spoken == [0, 1, 4, 5]
    assert word_owners(["a", "b"], ["a", "new", "b"]).of_spoken == [0, 0, 1]
    many = [f"lost{k}" for k in range(5000)]
    found = word_owners(["a", *many, "b", "c"], ["a", "b", "c"])
    assert found.of_spoken == [0, 5001, 5002]


def test_texts_that_have_nothing_in_common_are_divided_in_order() -> None:
    read_words, spoken = [f"a{k}" for k in range(1500)], [f"b{k}" for k in range(3000)]
    assert word_owners(read_words, spoken).of_spoken == [k // 2 for k in range(3000)]


def test_pauses_are_as_asked() -> None:
    pauses = Pauses(sentence_s=0.3, paragraph_s=0.9, clause_s=0.1)
    long = "First of all " + "and on " * 8 + "it goes. Second.\n\nNew paragraph. End."
    reading = read(long, Delivery(pauses=pauses), max_chars=60)
    assert [piece.pause_s for piece in reading.pieces] == [0.0, 0.1, 0.3, 0.9, 0.3]


def test_a_break_in_a_sentence_makes_two_pieces() -> None:
    reading = read('<speak>One two <break time="700ms"/> three. Four.<break time="1s"/></speak>')
    assert [(piece.text, piece.pause_s) for piece in reading.pieces] == [
        ("One two", 0.0),
        ("three.", 0.7),
        ("Four.", 0.25),
    ]
    assert reading.pause_after_s == 1.0


def test_a_break_after_a_sentence_takes_the_place_of_its_pause() -> None:
    reading = read("<speak>One.<break time='2s'/> Two.<break strength='none'/> Three.</speak>")
    assert [piece.pause_s for piece in reading.pieces] == [0.0, 2.0, 0.0]


def test_a_lexicon_spells_and_pronounces() -> None:
    entries = {"nginx": "engine X", "Siobhan": "/\u0283\u026a\u02c8v\u0254\u02d0n/"}
    reading = read("My NGINX, Siobhan's siobhan.", Delivery(lexicon=Lexicon(entries=entries)))
    assert ("NGINX,", "engine X") in pairs(reading)
    assert {word.text: word.phonemes for word in reading.words} == {
        "My": None,
        "NGINX,": None,
        "Siobhan's": "\u0283\u026av\u02c8\u0254nz",
        "siobhan.": None,
    }


def test_a_pace_beyond_what_is_understood_is_refused() -> None:
    ssml = '<speak><prosody rate="150%">Fast.</prosody></speak>'
    assert read(ssml).words[0].rate == 1.5
    with pytest.raises(ConfigError, match=r"is 3 times the voice's own pace; expected 0\.5 to 2"):
        read(ssml, Delivery(speed=2.0))


def test_nothing_to_speak_is_no_piece() -> None:
    assert read("...").pieces == ()
    assert read("<speak> <break/> </speak>").pieces == ()
    with pytest.raises(InputError, match="not well-formed"):
        read("<speak> Oh")
