"""Reads units of measure, also with powers, products and slashes: 'm/s^2', 'kg/m^3', 'N*m'.

Only the unit becomes a word and the number is left to the number rules, so that '5-10 km' needs no
rule of its own.
"""

import re

from latentspeech.text.normalizer.amounts.adjectives import is_adjective
from latentspeech.text.normalizer.amounts.unit_names import COMPOUND_ONLY, LENGTHS, PER, UNITS


def _any_of(names: dict[str, object]) -> str:
    return "|".join(map(re.escape, sorted(names, key=len, reverse=True)))


_POWER = r"(?:\^?-?[23]|\^-?[1-9])?"
_SIMPLE = _any_of(dict(UNITS))
_ANY = _any_of({**UNITS, **COMPOUND_ONLY})
_BELOW = _any_of({**UNITS, **PER})
_COMPOUND = (
    rf"(?:{_ANY}){_POWER}(?:[\u00b7*](?:{_ANY}){_POWER}){{0,3}}(?:/(?:{_BELOW}){_POWER}){{1,2}}"
    rf"|(?:{_ANY}){_POWER}(?:[\u00b7*](?:{_ANY}){_POWER}){{1,3}}"
)
_NUMBER = r"(?<![\w.,-])(?P<number>\d[\d,]{0,25}(?:\.\d{1,15})?)"
_TOUCHING = r"(?<=\d)"
_UNIT = re.compile(
    rf"(?:{_NUMBER}|{_TOUCHING})(?P<gap>[\s-]?)(?P<unit>{_COMPOUND}|(?:{_SIMPLE}){_POWER})"
    r"(?![\w/'^\u00b7])(?P<dot>\.(?=\s+[a-z\d]))?"
)
_ALONE = re.compile(
    r"(?<![\w/.^$-])((?:km|m|cm|mm|mi|ft)/(?:h|s(?:\^2)?|min)|(?:kg|g)/(?:cm|m)\^3|(?:k|M|G)(?:B|bit)/s|"
    r"W/m\^2|mg/dL|mmol/L|N/m\^2|J/kg)(?![\w/^])"
)
_FUEL = re.compile(r"(?<=\d)\s?[lL]/100\s?km\b")
_DOSE = re.compile(rf"(?<=\d)\s?({_SIMPLE})/(?=\d[\d.]{{0,6}}\s?(?:{_SIMPLE})(?![\w/'^]))")
_DECIMAL_COMMA = re.compile(
    rf"(?<![\w.,-])(\d{{1,3}}),(\d{{1,2}})(?=\s?(?:{_SIMPLE}|%)(?![\w/'^]))"
)
_FRACTION_OF = re.compile(
    rf"(?<![\d.,/ -])([1-9]/\d{{1,2}}) ?({_SIMPLE})(?![\w/'^])\.?(?=\s|,|;|\)|$)"
)
_PERCENT_RANGE = re.compile(r"(?<=\d)\s?%\s?-\s?(?=\d[\d.]{0,9}\s?%)")
_PERCENT = re.compile(r"(?<=\d)\s?%")
_FACTOR = re.compile(rf"({_any_of({**UNITS, **COMPOUND_ONLY, **PER})})(?:\^?(-?\d))?")
_LETTER_K = re.compile(
    r"\s(?:runs?|races?|runners?|walks?|resolution|TVs?|screens?|monitors?|videos?)\b"
)


def read_units(text: str) -> str:
    """'5 km' -> '5 kilometers', '9.8 m/s^2' -> '9.8 meters per second squared'."""
    text = _FUEL.sub(" liters per hundred kilometers", text)
    text = _FRACTION_OF.sub(lambda m: f"{m[1]} {_spoken(m[2], 0)}", text)
    text = _DECIMAL_COMMA.sub(r"\1.\2", text)
    text = _DOSE.sub(lambda m: f" {_spoken(m[1], 1)} per ", text)
    text = _UNIT.sub(_read_unit, text)
    text = _ALONE.sub(lambda m: _spoken(m[1], 1), text)
    return _PERCENT.sub(" percent", _PERCENT_RANGE.sub(" percent to ", text))


def _read_unit(match: re.Match[str]) -> str:
    number, gap, unit = match["number"] or "", match["gap"], match["unit"]
    before = match.string[match.start("unit") - 1]
    if unit == "s" and before == "0":
        return match[0]  # '1990s' is a decade
    if unit == "K" and (before.isdigit() or _LETTER_K.match(match.string, match.end())):
        return match[0]  # the K of a '4K' screen and of a '5 K run' is not kelvin
    singular = number == "1" or (gap == "-" and bool(number)) or (number and is_adjective(match))
    return f"{number} {_spoken(unit, 0 if singular else 1)}"


def _spoken(unit: str, number: int) -> str:
    """'m/s^2', 1 -> 'meters per second squared': the last factor above the slash is the plural."""
    above, *below = unit.split("/")
    factors = re.split(r"[\u00b7*]", above)
    words = [_factor(factor, 0) for factor in factors[:-1]] + [_factor(factors[-1], number)]
    return " per ".join([" ".join(words), *(_factor(factor, 0) for factor in below)])


def _factor(factor: str, number: int) -> str:
    match = _FACTOR.fullmatch(factor)
    assert match is not None, factor
    name, power = match[1], match[2] or ""
    word = PER[name] if name in PER else (UNITS.get(name) or COMPOUND_ONLY[name])[number]
    if power in ("2", "3"):
        if name in LENGTHS:
            return f"{'square' if power == '2' else 'cubic'} {word}"
        return f"{word} {'squared' if power == '2' else 'cubed'}"
    if not power:
        return word
    return f"{word} to the power of {power.replace('-', 'minus ')}"
