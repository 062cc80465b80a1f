"""Spells numbers as words: cardinals, ordinals, years, decimals, fractions and digits one by one.

The words come from num2words. The style is American: no "and", no commas ("one hundred five").
Which of these readings a written number gets is decided by the rules that call them.
"""

import re
from functools import lru_cache

MAX_DIGITS = 21  # hundreds of quintillions; longer numbers are read digit by digit
DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_NAMED_DENOMINATORS = frozenset(range(2, 21)) | {25, 32, 50, 64, 100, 1000}


def digits(text: str) -> str:
    """'407' -> 'four zero seven'; other characters are left out."""
    return " ".join(DIGIT_WORDS[int(c)] for c in text if c in "0123456789")


def digit_groups(text: str) -> str:
    """'555-0199' -> 'five five five, zero one nine nine'."""
    return ", ".join(digits(group) for group in re.findall(r"[0-9]+", text))


@lru_cache(maxsize=4096)
def cardinal(text: str) -> str:
    """'1,204' -> 'one thousand two hundred four'; leading zeros are read one by one."""
    plain = text.replace(",", "")
    if len(plain) > MAX_DIGITS or (len(plain) > 1 and plain[0] == "0"):
        return digits(plain)
    return _american(_words(int(plain), "cardinal"))


@lru_cache(maxsize=4096)
def ordinal(text: str) -> str:
    """'21' -> 'twenty-first'."""
    plain = text.replace(",", "")
    if len(plain) > MAX_DIGITS:
        return digits(plain)
    return _american(_words(int(plain), "ordinal"))


@lru_cache(maxsize=4096)
def year(text: str) -> str:
    """'1905' -> 'nineteen oh-five', '2024' -> 'twenty twenty-four'."""
    return _american(_words(int(text), "year"))


def in_pairs(text: str) -> str:
    """'221' -> 'two twenty-one', '4502' -> 'forty-five oh-two', '13600' -> 'thirteen six hundred'.

    So are the numbers of houses, rooms, flights and models said. Numbers of other lengths, and
    those with a leading zero, are read as usual.
    """
    if text[0] == "0" or not 3 <= len(text) <= 5:
        return cardinal(text)
    if len(text) == 5:
        rest = text[2:]
        return f"{cardinal(text[:2])} {cardinal(rest) if rest[0] != '0' else digits(rest)}"
    if text.endswith("00") and (len(text) == 3 or text[1] == "0"):
        return cardinal(text)
    rest = text[-2:]
    if rest == "00":
        return f"{cardinal(text[:-2])} hundred"
    small = f"oh-{DIGIT_WORDS[int(rest)]}" if rest[0] == "0" else cardinal(rest)
    return f"{cardinal(text[:-2])} {small}"


def decimal(text: str) -> str:
    """'3.05' -> 'three point zero five', '1,000' -> 'one thousand', '.5' -> 'point five'."""
    whole, point, fraction = text.partition(".")
    words = cardinal(whole) if whole else ""
    return f"{words} point {digits(fraction)}".strip() if point and fraction else words


def plural(words: str) -> str:
    """'twenty' -> 'twenties', 'six' -> 'sixes', 'half' -> 'halves'."""
    if words.endswith("y"):
        return words[:-1] + "ies"
    if words.endswith("half"):
        return words[:-1] + "ves"
    return words + ("es" if words.endswith(("x", "s")) else "s")


def fraction(numerator: str, denominator: str) -> str:
    """'3', '4' -> 'three quarters'; a denominator without a name of its own gives 'over'."""
    if max(len(numerator), len(denominator)) > MAX_DIGITS or (
        int(denominator) not in _NAMED_DENOMINATORS
    ):
        return f"{cardinal(numerator)} over {cardinal(denominator)}"
    name = {"2": "half", "4": "quarter"}.get(denominator.lstrip("0"))
    name = name or ordinal(denominator).removeprefix("one ")
    return f"{cardinal(numerator)} {name if int(numerator) == 1 else plural(name)}"


def apart(words: str, match: re.Match[str]) -> str:
    """Separates the words from letters that touch the digits: 'H2O' -> 'H two O'."""
    text, start, end = match.string, match.start(), match.end()
    before = " " if start and (text[start - 1].isalnum() or text[start - 1] in ".,") else ""
    after = " " if end < len(text) and text[end].isalnum() else ""
    return f"{before}{words}{after}"


def _words(number: int, kind: str) -> str:
    # It loads fifty languages, so a text without numbers does without it.
    from num2words import num2words

    words: str = num2words(number, to=kind)
    return words


def _american(words: str) -> str:
    return words.replace(",", "").replace(" and ", " ")
