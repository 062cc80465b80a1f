"""`normalize` turns written English into what a reader would say, by rules in a fixed order.

Letters keep their case, except in texts wholly in capitals (capitals.py). The result holds letters,
spaces and `. , ? ! ; : - ' "`, never a digit. Normalising it again would not change it. It has a
type of its own, `NormalizedText`, which `normalize` returns as it is, so a text is normalised only
once, where it comes in. Text without a letter or number ("...") becomes "".

Each rule is a function from text to text in a file of its own, in the room of its kind: markup
(pages), names, dates, digits (telephones, codes, addresses), amounts, numbers, words. `RULES` gives
their order and the reasons; `tests/unit/text/written_and_spoken.tsv` shows what they make of some
630 forms.
"""

from collections.abc import Callable

from latentspeech.text.normalizer.acronyms import spell_acronyms, spell_eras
from latentspeech.text.normalizer.amounts.feet_and_inches import read_feet_and_inches
from latentspeech.text.normalizer.amounts.magnitudes import read_magnitudes
from latentspeech.text.normalizer.amounts.money import read_money
from latentspeech.text.normalizer.amounts.temperatures import read_temperatures
from latentspeech.text.normalizer.amounts.units import read_units
from latentspeech.text.normalizer.capitals import restore_case
from latentspeech.text.normalizer.dates.clock import read_times
from latentspeech.text.normalizer.dates.dates import read_dates
from latentspeech.text.normalizer.dates.early_years import read_early_years
from latentspeech.text.normalizer.dates.iso import read_iso_dates
from latentspeech.text.normalizer.dates.months_and_days import read_month_and_day_names
from latentspeech.text.normalizer.digits.codes import read_codes
from latentspeech.text.normalizer.digits.phones import read_phones
from latentspeech.text.normalizer.digits.places import read_places
from latentspeech.text.normalizer.digits.spaced_thousands import join_spaced_thousands
from latentspeech.text.normalizer.markup.characters import fold
from latentspeech.text.normalizer.markup.lines import read_lines
from latentspeech.text.normalizer.markup.marks import strip_marks
from latentspeech.text.normalizer.markup.tags import strip_tags
from latentspeech.text.normalizer.names.addresses import read_addresses
from latentspeech.text.normalizer.names.files import read_files
from latentspeech.text.normalizer.names.models import read_models
from latentspeech.text.normalizer.names.roman_numerals import read_roman
from latentspeech.text.normalizer.numbers.equations import read_equations
from latentspeech.text.normalizer.numbers.fractions import read_fractions
from latentspeech.text.normalizer.numbers.numerals import read_numerals
from latentspeech.text.normalizer.numbers.ranges import read_ranges
from latentspeech.text.normalizer.punctuation import tidy
from latentspeech.text.normalizer.words.abbreviations import read_abbreviations
from latentspeech.text.normalizer.words.dashes import read_dashes
from latentspeech.text.normalizer.words.initials import read_initials
from latentspeech.text.normalizer.words.signs import read_signs, read_signs_before_numbers
from latentspeech.text.normalizer.words.streets import read_streets

# The order of the rules, and why. Each rule leaves words where it has read something, so a rule for
# a special form must stand before every rule that would read a part of it.
RULES: tuple[Callable[[str], str], ...] = (
    # 1. The page: tags and lines need the line breaks, which `fold` removes.
    strip_tags,
    strip_marks,  # before `read_lines`, which looks at the first letter of a line
    read_lines,
    fold,  # every later rule sees ASCII digits, quotes and hyphens
    restore_case,  # later rules read capitals as acronyms, names and Roman numerals
    # 2. Names with signs inside: their dots, slashes and digits must reach no other rule.
    read_addresses,  # before files: 'example.com' is not a file
    read_files,
    # 3. Numbers that only look like others: the longer form stands before the shorter.
    read_iso_dates,  # before dates, which read '2024-09-28'
    read_month_and_day_names,  # dates need whole names of months
    read_dates,  # before codes, phones and fractions: '5/3/2024'
    read_times,  # before ranges and ratios: '9:00-17:30'
    join_spaced_thousands,
    read_codes,  # before phones: '02139-4307' begins as a telephone number does
    read_phones,
    read_places,
    read_models,  # before measures: the K of 'i5-13600K', the s of 'MP3s'
    # 4. Measures: the number rules read the numbers that these leave.
    read_money,  # before magnitudes: '$5k'
    read_feet_and_inches,
    read_temperatures,  # before units: the C of '20 C'
    read_magnitudes,
    read_units,
    read_signs_before_numbers,
    # 5. Words with dots and capitals: these need to see whether a number follows.
    read_roman,
    spell_eras,
    read_early_years,  # needs the eras
    read_streets,  # before abbreviations: 'Dr.' and 'St.' have two readings
    read_abbreviations,
    read_initials,
    # 6. The numbers that are left.
    read_fractions,
    read_equations,  # before ranges: '5 - 3 = 2'
    read_ranges,
    read_numerals,  # no digit is left after it
    # 7. What is no number.
    spell_acronyms,  # after all rules that know acronyms ('3 PM', 'US$')
    read_signs,
    read_dashes,  # after equations and ranges, which read a dash as 'minus' or 'to'
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
