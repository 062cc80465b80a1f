"""A user's lexicon and IPA."""

from pathlib import Path

import pytest

from latentspeech.core.errors import InputError
from latentspeech.text.pronunciation import Pronouncer
from latentspeech.text.reading import Lexicon
from latentspeech.text.reading.ipa import misaki_from_ipa, with_possessive
from latentspeech.text.reading.marked_text import Run, source_text


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text("# mine\nnginx\tengine X\n\nNew Game\t/nu \u0261e\u026am/\n", encoding="utf-8")
    lexicon = Lexicon.from_file(path)
    assert lexicon.entries == {"nginx": "engine X", "New Game": "/nu \u0261e\u026am/"}
    marked = lexicon.mark((Run("Try Nginx, nginxes or the New Game's end, new game."),))
    assert source_text(marked) == "Try engine X, nginxes or the New Game's end, new game."
    phonemes = [part.phonemes for part in marked if isinstance(part, Run) and part.phonemes]
    assert phonemes == ["nu \u0261Amz"]


@pytest.mark.parametrize("line", ["nginx engine X", "nginx\t", "a\t//", "\tengine", "...\tdots"])
def test_a_line_that_is_wrong_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "words.tsv"
    path.write_text(f"a\tb\n{line}\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2: found .* expected a word, a tab"):
        Lexicon.from_file(path)


def test_a_word_that_is_there_twice_names_both_lines(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text("nginx\tengine X\n# again\nnginx\tenginks\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"lines 1 and 3: .*'nginx'.*'engine X' and as 'enginks'"):
        Lexicon.from_file(path)


def test_a_sound_that_is_unknown_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text("a\t/\u0295/\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 1: .*U\+0295"):
        Lexicon.from_file(path)
    with pytest.raises(InputError, match="not found"):
        Lexicon.from_file(tmp_path / "none")


@pytest.mark.parametrize(
    ("word", "ipa"),
    [
        ("choose", "\u02c8t\u0283u\u02d0z"),
        ("day", "\u02c8de\u026a"),
        ("joy", "\u02c8d\u0292\u0254\u026a"),
        ("now", "\u02c8na\u028a"),
        ("go", "\u02c8\u0261o\u028a"),
        ("thing", "\u02c8\u03b8\u026a\u014b"),
        ("red", "\u02c8r\u025bd"),
    ],
)
def test_ipa_is_what_the_dictionary_has(word: str, ipa: str) -> None:
    assert misaki_from_ipa(ipa) == Pronouncer.load()(word)


def test_possessives_follow_their_sound() -> None:
    endings = [
        with_possessive(word)[len(word) :] for word in ("k\u00e6t", "d\u0254\u0261", "b\u028as")
    ]
    assert endings == ["s", "z", "\u1d7bz"]
    with pytest.raises(InputError, match="no sound"):
        misaki_from_ipa("//")
