"""Folds Unicode to plain characters before the rules run.

It keeps everything that the rules may read out (digits, currency signs, `%`, `@`, ...).
"""

import re
import unicodedata

_BEFORE_NFKC = str.maketrans(
    {
        **dict.fromkeys(
            "\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u00b4\u02b9\u02bb\u02bc\u02bd`", "'"
        ),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u3003\u301d\u301e", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u2014\u2015\u2e3a\u2e3b\u30fb", " - "),
        **dict.fromkeys("\u3002\uff61\u0964\u06d4", ". "),
        **dict.fromkeys("\u3001\uff0c\u060c", ", "),
        **dict.fromkeys("\u061b\uff1b", "; "),
        **dict.fromkeys("\u061f\uff1f", "? "),
        "\uff01": "! ",
        # zero width, soft hyphen, marks of direction
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad\u200e\u200f\u061c", ""),
        **dict.fromkeys("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", ""),
        **dict.fromkeys("\u2122\u00ae\u00a8\u00af\u00b8\u00bf\u00a1", " "),
        "\u2044": "/",
        "\u2116": "number ",
        "\u22c5": "\u00b7",
        "\u2126": " ohm ",
        "\u00b5": "\u03bc",
    }
)
_SUPERSCRIPTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207b\u207f", "0123456789-n"
)
_POWER = re.compile(r"(?<=[^\W_])(?:\u207b?[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]{1,12}|\u207f)")
_VULGAR_FRACTION = re.compile(r"(?<=\d)(?=[\u00bc-\u00be\u2150-\u215e])")
_NARROW_THOUSANDS = re.compile(
    r"(?<![\w.,+])[1-9]\d{0,2}(?:[\u00a0\u2009\u202f]\d{3}){1,6}(?![\w]|[\u00a0\u2009\u202f]\d)"
)
_KEPT_SYMBOL_CATEGORIES = ("L", "P", "S")


def fold(text: str) -> str:
    """Turns compatibility forms, quotes, dashes, digits of any script into plain equivalents."""
    text = _NARROW_THOUSANDS.sub(lambda m: re.sub(r"\D", ",", m[0]), text)
    text = _VULGAR_FRACTION.sub(" ", text.translate(_BEFORE_NFKC))
    text = _POWER.sub(_spell_power, text)
    text = unicodedata.normalize("NFKC", text).translate(_BEFORE_NFKC)
    if not text.isascii():
        text = unicodedata.normalize("NFC", "".join(map(_fold_character, text)))
    return " ".join(text.split())


def _spell_power(match: re.Match[str]) -> str:
    power = match[0].translate(_SUPERSCRIPTS)
    text, start = match.string, match.start()
    # `m` + superscript 2 is a power; a superscript 1 or 27 after a word is a footnote mark.
    after_variable = start < 2 or not text[start - 2].isalpha()
    is_power = (
        text[start - 1].isdigit()
        or power in ("2", "3")
        or power[0] in "-n"
        or (after_variable and power != "1")
    )
    return f"^{power}" if is_power else " "


def _fold_character(character: str) -> str:
    if character.isascii():
        return character
    category = unicodedata.category(character)
    if category == "Nd":
        return str(unicodedata.decimal(character))
    if category[0] == "N":
        value = unicodedata.numeric(character, -1.0)
        return f" {int(value)} " if value >= 0 and value == int(value) else " "
    if category[0] == "M":
        return ""
    return character if category[0] in _KEPT_SYMBOL_CATEGORIES else " "
