"""Reads numbers as words: cardinals, ordinals, years, decades, decimals, fractions and ranges.

The words come from num2words; this file decides which reading a written number gets. The style is
American: no "and", no commas ("one hundred five"). A bare 1100 to 2099 is read as a year unless a
plural follows.
"""

import re
from functools import lru_cache

from num2words import num2words

MAX_DIGITS = 21  # hundreds of quintillions; longer numbers are read digit by digit
DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def digits(text: str) -> str:
    """'407' -> 'four zero seven'; other characters are left out."""
    return " ".join(DIGIT_WORDS[int(c)] for c in text if c in "0123456789")


@lru_cache(maxsize=4096)
def cardinal(text: str) -> str:
    """'1,204' -> 'one thousand two hundred four'; leading zeros are read one by one."""
    plain = text.replace(",", "")
    if len(plain) > MAX_DIGITS or (len(plain) > 1 and plain[0] == "0"):
        return digits(plain)
    return _american(num2words(int(plain)))


@lru_cache(maxsize=4096)
def ordinal(text: str) -> str:
    """'21' -> 'twenty-first'."""
    plain = text.replace(",", "")
    if len(plain) > MAX_DIGITS:
        return digits(plain)
    return _american(num2words(int(plain), to="ordinal"))


@lru_cache(maxsize=4096)
def year(text: str) -> str:
    """'1905' -> 'nineteen oh-five', '2024' -> 'twenty twenty-four'."""
    return _american(num2words(int(text), to="year"))


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
    if len(numerator) > MAX_DIGITS or len(denominator) > MAX_DIGITS:
        return f"{cardinal(numerator)} over {cardinal(denominator)}"
    below = int(denominator)
    if below < 2 or (below > 20 and below not in (25, 32, 50, 64, 100, 1000)):
        return f"{cardinal(numerator)} over {cardinal(denominator)}"
    name = {2: "half", 4: "quarter"}.get(below) or ordinal(str(below)).replace("one h", "h")
    name = name.replace("one t", "t")
    return f"{cardinal(numerator)} {name if int(numerator) == 1 else plural(name)}"


def _american(words: str) -> str:
    return words.replace(",", "").replace(" and ", " ")


_SPECIAL = {"24/7": "twenty-four seven", "9/11": "nine eleven", "20/20": "twenty twenty"}
_NOT_PLURAL = r"(?:was|is|as|has|his|its|this|us|thus|perhaps|always|elections|olympics)\b"
_N = r"\d{1,3}(?:,\d{2,3}){0,12},\d{3}(?!\d)|\d+"  # commas as in the US or in India

_STEPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), name)
    for pattern, name in (
        (r"(?<![\d/])(?:24/7|9/11|20/20)(?![\d/])", "special"),
        (r"(?<![\d.,/])(\d{1,9})\s+(\d{1,3})/(\d{1,4})(?![\d/]|\.\d)", "mixed"),
        (r"(?<![\d.,/])(\d{1,9})/(\d{1,9})(?![\d/]|\.\d)", "fraction"),
        (r"(?<![\d.])\d+(?:\.\d+){2,}", "version"),
        (r"(?<![\d-])\d+(?:-\d+){2,}(?![\d-])", "chain"),
        (r"(?<=\d)\s?-\s?(?=\d[\d.,]{0,30}\s*=)", "minus"),
        (r"(?<=\d)(?:-| - )(?=[.]?\d)", "range"),
        (rf"(?<!\d)(?<!\d,)({_N})(?:st|nd|rd|th|ST|ND|RD|TH)\b", "ordinal"),
        (r"(?<![\w.,])'?(\d{1,9}0)'?s\b", "decade"),
        (r"(?<=\d)\s?[xX*]\s?(?=\d)", "times"),
        (r"(?<=\d)\s?\^\s?2(?!\d)", "squared"),
        (r"(?<=\d)\s?\^\s?3(?!\d)", "cubed"),
        (r"(?<=\d)\s?\^\s?(?=-?\d)", "power"),
        (r"(?<![\w)-])-\s?(?=\.?\d)", "negative"),
        (r"(?<![\d.,])(?:1[1-9]|20)\d\d(?![\d%]|[.,]\d)", "year"),
        (rf"(?<!\d)(?:{_N})(?:\.\d+)?|\.\d+", "decimal"),
    )
)
_FIXED = {
    "range": " to ",
    "minus": " minus ",
    "negative": "minus ",
    "times": " times ",
    "squared": " squared ",
    "cubed": " cubed ",
    "power": " to the power of ",
}
_PLURAL_FOLLOWS = re.compile(rf"\s+(?!{_NOT_PLURAL})[a-z]{{2,30}}s\b(?!')")


def read_numbers(text: str) -> str:
    """Replaces every ASCII digit of `text` by words."""
    for pattern, name in _STEPS:
        text = pattern.sub(lambda match, name=name: _read(name, match), text)  # type: ignore[misc]
    return text


def _read(name: str, match: re.Match[str]) -> str:
    if name in _FIXED:
        return _FIXED[name]
    if name == "special":
        return _SPECIAL[match[0]]
    if name == "chain":
        return _read_chain(match[0])
    if name == "mixed":
        half = fraction(match[2], match[3])
        half = "a " + half[4:] if half.startswith("one ") and "over" not in half else half
        words = f"{cardinal(match[1])} and {half}"
    elif name == "fraction":
        words = fraction(match[1], match[2])
    elif name == "version":
        words = " point ".join(cardinal(part) for part in match[0].split("."))
    elif name == "ordinal":
        words = ordinal(match[1])
    elif name == "decade":
        words = _read_decade(match[1])
    elif name == "year" and not _PLURAL_FOLLOWS.match(match.string, match.end()):
        words = year(match[0])
    else:
        words = decimal(match[0])
    return _apart(words, match)


def _read_decade(start: str) -> str:
    is_year = len(start) == 4 and "1100" <= start <= "2099"
    return plural(year(start) if is_year else cardinal(start))


def _read_chain(text: str) -> str:
    """'1-2-3' -> 'one two three'; chains as long as telephone numbers are read digit by digit."""
    parts = text.split("-")
    if sum(map(len, parts)) >= 7:
        return ", ".join(digits(part) for part in parts)
    return " ".join(cardinal(part) for part in parts)


def _apart(words: str, match: re.Match[str]) -> str:
    """Separates the words from letters that touch the digits: 'H2O' -> 'H two O'."""
    text, start, end = match.string, match.start(), match.end()
    before = " " if start and (text[start - 1].isalnum() or text[start - 1] in ".,") else ""
    after = " " if end < len(text) and text[end].isalnum() else ""
    return f"{before}{words}{after}"
