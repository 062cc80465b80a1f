"""Reads accented letters: the dictionary lists few of them, and the network for new words none.

A word is looked up with its accents first, then without ("smörgåsbord"). Where the plain spelling
is no word, or is another one ("résumé"), letters are respelled as English says them: a final "é" as
"ay", "ç" as "s", "ñ" as "ny".
"""

import re
import unicodedata
from collections.abc import Callable

# Letters whose Unicode name does not tell the plain ones: eth, thorn, sharp s, eng, dotless i, ...
_UNLIKE_THEIR_NAMES = {
    "\u00f0": "th", "\u00fe": "th", "\u00df": "ss", "\u014b": "ng", "\u0131": "i", "\u0259": "e",
    "\u0138": "k", "\u0149": "n",
}  # fmt: skip
_NAME = re.compile(r"LATIN (?:SMALL|CAPITAL) (?:LETTER|LIGATURE) ([A-Z]{1,2})\b")
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
    """The word in plain letters: 'crème' -> 'creme', 'Łódź' -> 'Lodz', 'Ærø' -> 'Aero'."""
    decomposed = unicodedata.normalize("NFKD", word)
    return "".join(_plain(c) for c in decomposed if not unicodedata.combining(c))


def _plain(letter: str) -> str:
    """The plain letters of one that has no separate mark, such as a stroke or a ligature."""
    if letter.isascii() or unicodedata.category(letter) not in ("Lu", "Ll", "Lo", "Lt"):
        return letter if letter.isascii() else ""
    found = _UNLIKE_THEIR_NAMES.get(letter.lower())
    if found is None:
        name = _NAME.match(unicodedata.name(letter, ""))
        found = name[1].lower() if name else letter
    return found.capitalize() if letter.isupper() else found


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
