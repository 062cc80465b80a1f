"""Reads amounts of money, by sign ('$5'), by country and sign ('CA$5') and by code ('EUR 5')."""

import re

from latentspeech.text.normalizer.amounts.adjectives import is_adjective, is_before_cash
from latentspeech.text.normalizer.amounts.currencies import CODES, COUNTRIES, SIGNS, Currency
from latentspeech.text.normalizer.numbers.number_words import cardinal, decimal

_MAGNITUDES = {"k": "thousand", "m": "million", "mn": "million", "b": "billion", "bn": "billion"}
_MAGNITUDES |= {"t": "trillion", "tn": "trillion"}
_SIGN = "[" + "".join(map(re.escape, SIGNS)) + "]"
_CODE = "|".join(CODES)
_COUNTRY = "|".join(COUNTRIES)
_WHOLE = r"(\d{1,3}(?:,\d{3})+|\d{1,21})"
_AMOUNT = rf"{_WHOLE}(\.\d{{1,9}})?(?![\d,]*\d)"
_AMOUNT_OR_CENTS = rf"(?:{_WHOLE}(\.\d{{1,9}})?|(\.\d{{1,9}}))(?![\d,]*\d)"
_MAGNITUDE = (
    r"(?:\s?-?(thousand|million|billion|trillion|quadrillion|mn|bn|tn|[kKmMbBtT])(?![A-Za-z0-9]))?"
)
_SIGN_RANGE = re.compile(rf"(?<=[\dkmbntKMBNT])\s?-\s?(?={_SIGN}\.?\d)")
_SIGN_FIRST_RANGE = re.compile(rf"({_SIGN})\s?(\d[\d.,]{{0,20}})-(?=\d)")
_SIGN_FIRST = re.compile(
    rf"(-\s?)?(?:\b({_COUNTRY})|\b(US)\s)?({_SIGN})\s?{_AMOUNT_OR_CENTS}{_MAGNITUDE}(?:\s({_CODE})\b)?"
)
_CODE_FIRST = re.compile(rf"\b({_CODE})\s?{_AMOUNT}{_MAGNITUDE}")
_RUPEES = re.compile(rf"\bRs\.?\s?{_AMOUNT}{_MAGNITUDE}")
_EURO_COMMA = re.compile(r"(?<![\d.,])(\d{1,9}),(\d\d)(?=\s?(?:\u20ac|EUR\b))")
_EURO_DOTS = re.compile(
    r"(?<![\d.,])(\d{1,3}(?:\.\d{3}){1,4}),(\d\d)(?![\d,]|\.\d)(?<!\d\.\d\d\d\.\d\d)"
)
_VARIABLE = re.compile(r"\$(?=\{?[A-Za-z_]\w)")
_DOLLAR_AS_S = re.compile(r"(?<=[A-Za-z])\$(?=[a-zA-Z])")
_CODE_LAST = re.compile(rf"(?<![\d.,]){_AMOUNT}{_MAGNITUDE}\s?({_CODE}|{_SIGN})(?!\w)")
_CENTS = re.compile(r"(?<![\d.,])(\d{1,9})\s?\u00a2")
_PER = re.compile(
    r"(?<=dollars|pounds )/(?=[a-z])|(?<=[a-z])/"
    r"(?=(?:month|mo|year|yr|day|week|hour|hr|person|night|kg|lb|mile|gallon)\b)"
)
_AFTER_PER = re.compile(r"(?<= per )(mo|yr|hr|kg|lb)\b")
_PER_WORDS = {"mo": "month", "yr": "year", "hr": "hour", "kg": "kilogram", "lb": "pound"}


def read_money(text: str) -> str:
    """'$3.50' -> 'three dollars and fifty cents', '$2 million' -> 'two million dollars'."""
    text = _EURO_DOTS.sub(lambda m: f"{m[1].replace('.', '')}.{m[2]}", text)
    text = _VARIABLE.sub("dollar ", _DOLLAR_AS_S.sub(_like_s, text))
    text = _SIGN_RANGE.sub(" to ", text)
    text = _SIGN_FIRST_RANGE.sub(_read_range, text)
    text = _SIGN_FIRST.sub(_read_sign_first, text)
    text = _EURO_COMMA.sub(r"\1.\2", text)
    text = _CODE_FIRST.sub(lambda m: _amount(m, CODES[m[1]], m[2], m[3], m[4]), text)
    text = _RUPEES.sub(lambda m: _amount(m, CODES["INR"], m[1], m[2], m[3]), text)
    text = _CODE_LAST.sub(
        lambda m: _amount(m, CODES.get(m[4]) or SIGNS[m[4]], m[1], m[2], m[3]), text
    )
    text = _CENTS.sub(_read_cents, text)
    return _AFTER_PER.sub(lambda m: _PER_WORDS[m[1]], _PER.sub(" per ", text))


def _like_s(match: re.Match[str]) -> str:
    """'Ke$ha' -> 'Kesha', 'A$AP' -> 'ASAP'."""
    return "S" if match.string[match.end()].isupper() else "s"


def _read_range(match: re.Match[str]) -> str:
    """'$5-10' -> 'five to $10': the currency is said once, at the end."""
    return f"{decimal(match[2].rstrip('.,').replace(',', ''))} to {match[1]}"


def _read_sign_first(match: re.Match[str]) -> str:
    minus, attached, apart, sign, whole, fraction, cents, magnitude, code = match.groups()
    currency = SIGNS[sign]
    if code:
        currency = COUNTRIES["US"] if code == "USD" else CODES[code]
    elif (country := attached or apart) is not None:
        currency = COUNTRIES[country] if sign == "$" else currency
    words = _amount(match, currency, whole or "0", fraction or cents, magnitude)
    return ("minus " if minus else "") + words


def _read_cents(match: re.Match[str]) -> str:
    one = match[1] == "1" or is_adjective(match) or is_before_cash(match)
    return f"{cardinal(match[1])} {'cent' if one else 'cents'}"


def _amount(
    match: re.Match[str],
    currency: Currency,
    whole: str,
    fraction: str | None,
    magnitude: str | None,
) -> str:
    singular = is_adjective(match) or is_before_cash(match)
    many = currency.one if singular else currency.many
    if magnitude:
        name = _MAGNITUDES.get(magnitude.lower(), magnitude)
        return f"{decimal(whole + (fraction or ''))} {name} {many}"
    unit = currency.one if whole == "1" else many
    if not fraction or fraction == ".00":
        return f"{cardinal(whole)} {unit}"
    if len(fraction) != 3:
        if fraction == ".5" and whole == "0":
            return f"fifty {currency.cents}"
        return f"{decimal(whole + fraction)} {many}"
    number = fraction[1:].lstrip("0")
    small = f"{cardinal(number)} {currency.cent if number == '1' or singular else currency.cents}"
    return small if whole.strip("0") == "" else f"{cardinal(whole)} {unit} and {small}"
