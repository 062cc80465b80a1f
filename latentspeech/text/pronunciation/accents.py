"""Reads accented letters: the dictionary lists few of them, and the network for new words none.

A word is looked up with its accents first, then without ("smörgåsbord"). Where the plain spelling
is no word, or is another one ("résumé"), letters are respelled as English says them: a final "é" as
"ay", "ç" as "s", "ñ" as "ny".
"""

import re
import unicodedata
from collections.abc import Callable

_WITHOUT_MARK = str.maketrans(
    {
        "\u00df": "ss", "\u00e6": "ae", "\u0153": "oe", "\u00f8": "o", "\u0142": "l",
        "\u0111": "d", "\u00f0": "th", "\u00fe": "th", "\u0131": "i", "\u0127": "h",
        "\u00c6": "Ae", "\u0152": "Oe", "\u00d8": "O", "\u0141": "L", "\u0110": "D",
        "\u00d0": "Th", "\u00de": "Th", "\u0126": "H", "\u1e9e": "SS", "\u0167": "t",
        "\u0166": "T", "\u014b": "ng", "\u014a": "Ng", "\u0138": "k",
    }
)  # fmt: skip
# Each with the spelling that an English reader says so. The order matters.
_RESPELLED = tuple(
    (re.compile(pattern), spelling)
    for pattern, spelling in (
        ("\u00e7", "s"), ("\u00c7", "S"), ("c(?=\u00e9e?s?$)", "s"), ("g(?=\u00e9e?s?$)", "zh"),
        ("\u00e9e?(s?)$", r"ay\1"), ("\u00f1", "ny"), ("\u00d1", "Ny"),
        ("[\u0161\u015f]", "sh"), ("[\u0160\u015e]", "Sh"), ("\u010d", "ch"), ("\u010c", "Ch"),
        ("\u017e", "zh"), ("\u017d", "Zh"), ("\u0142", "w"), ("\u0141", "W"),
    )
)  # fmt: skip
_FINAL_ACUTE = re.compile("\u00e9e?s?$")


def fold(word: str) -> str:
    """The word in plain letters: 'crème' -> 'creme', 'Łódź' -> 'Lodz'."""
    decomposed = unicodedata.normalize("NFD", word.translate(_WITHOUT_MARK))
    return "".join(c for c in decomposed if not unicodedata.combining(c))


def plain_spelling(word: str, phonemes_of: Callable[[str], str | None]) -> str:
    """A spelling in plain letters that is read as the accented word should be.

    `phonemes_of` gives what a dictionary has for a word, or None.
    """
    word = unicodedata.normalize("NFC", word)
    if phonemes_of(word) is not None or word.isascii():
        return word
    folded = fold(word)
    known = phonemes_of(folded)
    is_other_word = _FINAL_ACUTE.search(word) and known is not None and known.rstrip("z")[-1] != "A"
    if known is not None and not is_other_word:
        return folded
    for pattern, spelling in _RESPELLED:
        word = pattern.sub(spelling, word)
    return fold(word)
