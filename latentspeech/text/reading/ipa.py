"""The International Phonetic Alphabet in misaki's letters, which the voice that ships reads.

Misaki writes American English; it has one letter for each diphthong and affricate, and no signs of
length.
"""

import re

from latentspeech.core.errors import InputError
from latentspeech.text.tokenizers.misaki import CONSONANTS, MARKS, VOWELS

# Longer sequences stand first.
_TO_MISAKI = (
    ("d\u0361\u0292", "\u02a4"), ("t\u0361\u0283", "\u02a7"),
    ("d\u0292", "\u02a4"), ("t\u0283", "\u02a7"),
    ("n\u0329", "\u1d4an"), ("l\u0329", "\u1d4al"), ("m\u0329", "\u1d4am"),
    ("e\u026a", "A"), ("a\u026a", "I"), ("o\u028a", "O"), ("\u0259\u028a", "O"), ("a\u028a", "W"),
    ("\u0254\u026a", "Y"), ("\u025c\u02d0", "\u025c\u0279"), ("\u025a", "\u0259\u0279"),
    ("\u025d", "\u025c\u0279"), ("\u0252", "\u0251"), ("\u027e", "T"), ("g", "\u0261"),
    ("r", "\u0279"), ("\u026b", "l"), ("x", "k"), ("\u028d", "w"), ("e", "\u025b"), ("o", "O"),
    ("a", "\u0251"), ("'", "\u02c8"), (",", "\u02cc"),
)  # fmt: skip
_ALTERNATIVES = re.compile("|".join(re.escape(ipa) for ipa, _ in _TO_MISAKI))
_IGNORED = str.maketrans("", "", ".\u02d0\u02d1\u0361\u035c\u0329\u0303\u032f\u02b0/[]")
# Misaki sets stress before the vowel, IPA before the syllable.
_STRESS = re.compile(f"([{MARKS}])([{CONSONANTS}]+)(?=[{VOWELS}])")
_KNOWN = frozenset(VOWELS + CONSONANTS + MARKS + " ")


def misaki_from_ipa(ipa: str) -> str:
    """Returns the pronunciation in misaki's letters; "t\u0259\u02c8me\u026ato\u028a" is a tomato.

    Syllable marks, length and slashes are left out. Sounds that American English lacks become its
    nearest ones where that is usual ("x" in "loch" is "k").

    Raises:
        InputError: there is no sound in it, or a sign that is unknown.
    """
    names = dict(_TO_MISAKI)
    found = _ALTERNATIVES.sub(lambda match: names[match[0]], " ".join(ipa.split()))
    found = _STRESS.sub(r"\2\1", found.translate(_IGNORED))
    unknown = sorted(set(found) - _KNOWN)
    if unknown:
        shown = ", ".join(f"{sign!r} (U+{ord(sign):04X})" for sign in unknown)
        raise InputError(
            f"the pronunciation {ipa!r} has {shown}; expected American English in the "
            "International Phonetic Alphabet: replace it by the nearest English sound"
        )
    if not set(found) - set(MARKS + " "):
        raise InputError(f"the pronunciation {ipa!r} has no sound; give the word in IPA")
    return found


def with_possessive(phonemes: str) -> str:
    """Returns the pronunciation of a word and of 's after it."""
    last = phonemes[-1]
    if last in "sz\u0283\u0292\u02a7\u02a4":
        return phonemes + "\u1d7bz"
    return phonemes + ("s" if last in "ptkf\u03b8" else "z")
