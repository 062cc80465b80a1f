"""`normalize` turns written English into what a reader would say, by rules in a fixed order.

Letters keep their case, except in texts wholly in capitals (capitals.py). The result holds letters,
spaces and `. , ? ! ; : - ' "`, never a digit. Normalising it again would not change it. It has a
type of its own, `NormalizedText`, which `normalize` returns as it is, so a text is normalised only
once, where it comes in. Text without a letter or number ("...") becomes "".
"""

from collections.abc import Callable

from latentspeech.text.normalizer.abbreviations import read_abbreviations
from latentspeech.text.normalizer.acronyms import spell_acronyms, spell_eras
from latentspeech.text.normalizer.capitals import restore_case
from latentspeech.text.normalizer.dates_and_times import read_dates, read_times
from latentspeech.text.normalizer.money_and_units import read_money, read_phones, read_units
from latentspeech.text.normalizer.numbers import read_numbers
from latentspeech.text.normalizer.punctuation import fold, tidy
from latentspeech.text.normalizer.roman_numerals import read_roman
from latentspeech.text.normalizer.signs_and_addresses import (
    read_addresses,
    read_signs,
    read_signs_before_numbers,
)

# Order matters: rules that need digits stand before read_numbers.
RULES: tuple[Callable[[str], str], ...] = (
    fold,
    restore_case,
    read_addresses,
    read_dates,
    read_times,
    read_phones,
    read_money,
    read_units,
    read_signs_before_numbers,
    read_roman,
    spell_eras,
    read_abbreviations,
    read_numbers,
    spell_acronyms,
    read_signs,
    tidy,
)
_MAX_PASSES = 12


class NormalizedText(str):
    """A text that `normalize` has made; its string methods return a plain `str`."""

    __slots__ = ()


def normalize(text: str) -> NormalizedText:
    """Reads out numbers, dates, money, units, abbreviations and signs; folds punctuation."""
    if isinstance(text, NormalizedText):
        return text
    # One pass suffices for nearly all text and a second proves it. Odd strings (a dropped sign that
    # joins two dots) need another; repeating until nothing changes is what makes the result stable.
    for _ in range(_MAX_PASSES):
        previous = text
        for rule in RULES:
            text = rule(text)
        if text == previous:
            break
    return NormalizedText(text)
