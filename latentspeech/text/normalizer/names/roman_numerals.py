"""Reads Roman numerals after a name or a numbered thing; elsewhere 'I' and 'MIX' may be words."""

import re
from itertools import pairwise

from latentspeech.text.normalizer.numbers.number_words import cardinal, ordinal

_ROMAN_VALUES = {"I": 1, "V": 5, "X": 10, "L": 50, "C": 100, "D": 500, "M": 1000}
_VALID_ROMAN = re.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_REGNAL = (
    "Henry|Louis|Charles|George|William|Edward|James|Richard|Elizabeth|Mary|Philip|Francis|Frederick|"
    "Napoleon|Leopold|Nicholas|Peter|Catherine|Alexander|Ivan|John|Paul|Pius|Benedict|Gregory|Leo|"
    "Innocent|Clement|Urban|Boniface|Alfonso|Ferdinand|Ptolemy|Ramesses|Ramses|Otto|Wilhelm|Christian|"
    "Gustav|Haakon|Harald|Margrethe|Umberto|Emmanuel|Xerxes|Darius|Cyrus|Thutmose|Amenhotep|Robert"
)
_NUMBERED = (
    "Chapter|Part|Volume|Book|Act|Scene|Section|Article|Appendix|Phase|Type|Class|Grade|Level|Stage|"
    "War|Bowl|Title|Figure|Table|Canto|Psalm|Episode|Apollo|Lesson|Unit|Round|Season|Rocky|Fantasy"
)
# C, D, L and M alone are letters ("Section C"); I, V and X alone need one of the words above.
_ROMAN_AFTER = re.compile(
    rf"\b(?:({_REGNAL})|({_NUMBERED})|[A-Z][a-z]{{1,20}})\s+([IVXLCDM]{{2,9}}|[IVX])\b(?!\s[A-Z]\b|'(?!s\b))"
)
_PLAIN_ROMAN = re.compile(r"II|III|VI{1,3}|IX|XI{1,3}|XVI{0,3}")
_ALONE = re.compile(r"(?<![\w'-])(?:II|III|VII|VIII|XII|XIII|XVII|XVIII)(?![\w'-])")
_WORLD_WAR = re.compile(r"(?<![\w'-])WW(II?)(?![\w-])")
_CLOSES = re.compile(
    r"\s*(?:$|[.,;:!?)\"-]|(?:of|was|is|and|in|began|ended|to|ruled|reigned|by)\b)"
)


def read_roman(text: str) -> str:
    """'Henry VIII' -> 'Henry the eighth', 'Chapter IV' -> 'Chapter four'."""
    text = _WORLD_WAR.sub(r"World War \1", text)
    text = _ROMAN_AFTER.sub(_read_roman, text)
    return _ALONE.sub(lambda m: cardinal(str(_value(m[0]))), text)


def _read_roman(match: re.Match[str]) -> str:
    regnal, numbered, roman = match[1], match[2], match[3]
    if not _VALID_ROMAN.fullmatch(roman):
        return match[0]
    if not (regnal or numbered) and not _PLAIN_ROMAN.fullmatch(roman):
        return match[0]
    if roman == "I" and not _CLOSES.match(match.string, match.end()):
        return match[0]
    value = str(_value(roman))
    words = f"the {ordinal(value)}" if regnal else cardinal(value)
    return match[0][: -len(roman)] + words


def _value(roman: str) -> int:
    values = [_ROMAN_VALUES[c] for c in roman]
    return sum(-a if a < b else a for a, b in pairwise([*values, 0]))
