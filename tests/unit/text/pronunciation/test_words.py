"""Accented, stretched and foreign words, names and acronyms."""

from collections.abc import Callable
from typing import Any

import pytest

from latentspeech.core.errors import InputError
from latentspeech.text.normalizer import normalize
from latentspeech.text.pronunciation import foreign_words, readable_part
from latentspeech.text.pronunciation.accents import fold, plain_spelling
from latentspeech.text.pronunciation.lexicon import TABLE, add_to, read_lexicon
from latentspeech.text.pronunciation.stretched import unstretch
from latentspeech.text.tokenizers.misaki import SYMBOLS, MisakiTokenizer, phonemes


def spoken(text: str) -> str:
    return phonemes(normalize(text))


@pytest.mark.parametrize(
    ("accented", "plain"),
    [
        ("caf\u00e9", "cafe"),
        ("na\u00efve", "naive"),
        ("fa\u00e7ade", "facade"),
        ("d\u00e9cor", "decor"),
        ("matin\u00e9e", "matinee"),
        ("sm\u00f6rg\u00e5sbord", "smorgasbord"),
        ("M\u00fcller", "Muller"),
        ("cr\u00eape", "crepe"),
        ("r\u00f4le", "role"),
        ("co\u00f6perate", "cooperate"),
        ("fianc\u00e9e", "fiancee"),
        ("jalape\u00f1o", "jalapeno"),
        ("caf\u00e9s", "cafes"),
        ("CAF\u00c9", "cafe"),
    ],
)
def test_an_accented_word_sounds_like_the_plain_one(accented: str, plain: str) -> None:
    assert spoken(accented) == spoken(plain)


def test_an_accent_tells_two_words_apart() -> None:
    for accented, plain in (("r\u00e9sum\u00e9", "resume"), ("ros\u00e9", "rose")):
        assert spoken(f"the {accented} is") != spoken(f"to {plain} it")
    assert spoken("expos\u00e9").endswith("A")
    assert spoken("Pel\u00e9").endswith("A")  # in no table


def test_every_latin_letter_with_a_mark_is_folded() -> None:
    codes = [*range(0xC0, 0x180), *range(0x1EA0, 0x1EFA)]  # Europe's letters and Vietnam's
    letters = [chr(code) for code in codes if chr(code).isalpha()]
    assert [letter for letter in letters if not fold(letter).isascii()] == []
    assert fold("\u0141\u00f3d\u017a Stra\u00dfe \u00c6r\u00f8") == "Lodz Strasse Aero"


def test_a_word_without_dictionary_is_respelled() -> None:
    nothing: Callable[[str], str | None] = lambda word: None  # noqa: E731
    assert plain_spelling("Dubr\u00e9", nothing) == "Dubray"
    assert plain_spelling("Nu\u00f1ez", nothing) == "Nunyez"
    assert plain_spelling("Fran\u00e7ois", nothing) == "Fransois"


@pytest.mark.parametrize(
    ("stretched", "word"),
    [
        ("Nooooo", "No"),
        ("sooo", "so"),
        ("goood", "good"),
        ("Yesss", "Yes"),
        ("Hmmmm", "Hmm"),
        ("shhhh", "shh"),
        ("pleeease", "please"),
        ("looong", "long"),
        ("aaaah", "ah"),
    ],
)
def test_stretched_letters(stretched: str, word: str) -> None:
    assert spoken(stretched) == spoken(word)


def test_a_word_of_one_letter_is_not_stretched() -> None:
    assert unstretch("www", lambda word: len(word) == 1) == "www"


@pytest.mark.parametrize(
    ("name", "phones"),
    [
        ("nginx", "\u02cc\u025bn\u02a4\u026an\u02c8\u025bks"),
        ("GitHub", "\u0261\u02c8\u026ath\u02cc\u028cb"),
        ("github", "\u0261\u02c8\u026ath\u02cc\u028cb"),
        ("iPhone", "\u02c8If\u02ccOn"),
        ("PyTorch", "p\u02c8It\u02cc\u0254\u0279\u02a7"),
        ("JSON", "\u02a4\u02c8As\u02cc\u0251n"),
        ("Psst", "pst"),
        ("Shh", "\u0283"),
    ],
)
def test_names_and_sounds(name: str, phones: str) -> None:
    assert spoken(name) == phones


@pytest.mark.parametrize(
    ("acronym", "read"),
    [
        ("AT&T", "A T and T"),
        ("R&D", "R and D"),
        ("the YMCA", "the Y M C A"),
        ("our IT department", "our I T department"),
        ("DO IT now", "DO IT now"),
        ("the WHO", "the W H O"),
        ("WHO is it", "WHO is it"),
    ],
)
def test_acronyms(acronym: str, read: str) -> None:
    assert normalize(acronym) == read


def test_a_name_in_capitals_does_not_take_the_place_of_another_word() -> None:
    assert spoken("latex") != spoken("LaTeX")
    dictionary: dict[str, Any] = {"latex": "old"}
    add_to(dictionary, {"LaTeX": "new"})
    assert dictionary["latex"] == "old"
    assert dictionary["LaTeX"] == "new"


def test_the_lexicon_has_symbols_of_the_voice_and_each_word_once() -> None:
    for word, entry in read_lexicon().items():
        readings = entry.values() if isinstance(entry, dict) else [entry]
        assert all(set(reading) <= set(SYMBOLS) for reading in readings), word
    lines = [line for line in TABLE.read_text("utf-8").splitlines() if line and line[0] != "#"]
    words = [tuple(line.split("\t")[::2]) for line in lines]
    assert len(set(words)) == len(words)


def test_foreign_words_are_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    text = normalize("Hello \u4e16\u754c friends, \u043c\u0438\u0440.")
    assert foreign_words(text) == ["\u4e16\u754c", "\u043c\u0438\u0440"]
    assert readable_part(text) == "Hello friends"
    assert "\u4e16\u754c, \u043c\u0438\u0440" in caplog.text
    tokenizer = MisakiTokenizer()
    assert tokenizer.encode(text) == tokenizer.encode("Hello friends")


def test_a_text_in_another_script_is_refused_with_its_words_named() -> None:
    text = "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440."
    with pytest.raises(
        InputError, match="\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440"
    ):
        MisakiTokenizer().encode(text)
    with pytest.raises(InputError, match="1 word in a script other than Latin"):
        readable_part(normalize("Hello \u4e16"), strict=True)


def test_greek_letters_and_signs_with_names_are_no_foreign_words() -> None:
    assert not foreign_words(
        normalize("the \u03b1 particle, \u0394 x, 5 \u00b5m, caf\u00e9, 20 \u00b0C")
    )
