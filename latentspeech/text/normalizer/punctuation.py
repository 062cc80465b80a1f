"""Folds Unicode to plain characters before the rules run, and tidies the punctuation after them.

`fold` keeps everything that the rules may read out (digits, currency signs, `%`, `@`, ...);
`tidy` leaves letters, spaces and `. , ? ! ; : - ' "`, and nothing else.
"""

import re
import unicodedata

KEPT_PUNCTUATION = ".,?!;:-'\""

_BEFORE_NFKC = str.maketrans(
    {
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2039\u203a\u00b4\u02b9\u02bb\u02bc\u02bd`", "'"),
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u00ab\u00bb\u2033\u3003\u301d\u301e", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u2014\u2015\u2e3a\u2e3b\u30fb", " - "),
        **dict.fromkeys("\u3002\uff61\u0964\u06d4", ". "),
        **dict.fromkeys("\u3001\uff0c\u060c", ", "),
        **dict.fromkeys("\u061b\uff1b", "; "),
        **dict.fromkeys("\u061f\uff1f", "? "),
        "\uff01": "! ",
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u00ad", ""),  # zero width, soft hyphen
        **dict.fromkeys("\u2122\u00ae\u00a8\u00af\u00b8\u00bf\u00a1", " "),
        "\u2044": "/",
        "\u2126": " ohm ",
        "\u00b5": "\u03bc",
    }
)
_SUPERSCRIPTS = str.maketrans(
    "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079", "0123456789"
)
_POWER = re.compile(r"(?<=[^\W_])[\u2070\u00b9\u00b2\u00b3\u2074-\u2079]{1,12}")
_VULGAR_FRACTION = re.compile(r"(?<=\d)(?=[\u00bc-\u00be\u2150-\u215e])")
_FIELD_BREAK = re.compile(r"(?<=[^\W_])[ \t]*\n[ \t]*\n\s*")
_KEPT_SYMBOL_CATEGORIES = ("L", "P", "S")


def fold(text: str) -> str:
    """Turns compatibility forms, quotes, dashes, digits of any script into plain equivalents."""
    text = _VULGAR_FRACTION.sub(" ", text.translate(_BEFORE_NFKC))
    text = _POWER.sub(_spell_power, text)
    # A paragraph that ends without punctuation (a headline) is a sentence of its own.
    text = _FIELD_BREAK.sub(". ", text.replace("\r\n", "\n"))
    text = unicodedata.normalize("NFKC", text).translate(_BEFORE_NFKC)
    if not text.isascii():
        text = unicodedata.normalize("NFC", "".join(map(_fold_character, text)))
    return " ".join(text.split())


def _spell_power(match: re.Match[str]) -> str:
    digits = match[0].translate(_SUPERSCRIPTS)
    before = match.string[match.start() - 1]
    # `m` + superscript 2 is a power; a superscript 1 or 27 after a word is a footnote mark.
    return f"^{digits}" if before.isdigit() or digits in ("2", "3") else " "


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


_TIDY_STEPS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"''", '"'),
        (r"[()\[\]{}]", ", "),
        (r"[^\w\s.,?!;:'\"-]|[\d_]", " "),
        (r"(?<!\w)'(?!\w)", " "),  # an apostrophe that belongs to no word
        (r"-{2,}", " - "),
        (r"(?<=\w)-(?!\w)(?!\s)|(?<=\w)-(?=\s)|(?<![\w\s])-(?=\w)|(?<=\s)-(?=\w)", " "),
        (r"\s+", " "),
        (r" (?=[.,?!;:])", ""),
        (r"([?!])[?!.]+", r"\1"),
        (r",{2,}", ","),
        (r"[,;:]*([;:])[,;:]*", r"\1"),
        (r"[,;:](?=[.?!])", ""),
        (r"(?<=[.?!])[,;:]+", ""),
        (r"\.{4,}|(?<!\.)\.\.(?!\.)", "..."),
        (r"(?<=[.,?!;:])(?=[^\W_])", " "),
        (r"-(?: -)+", "-"),
        (r"(?<=[,;:]) - ?", " "),
    )
)


def tidy(text: str) -> str:
    """Leaves letters, single spaces and the kept punctuation; returns "" if no letter is left."""
    text = "".join(c if c.isascii() or c.isalpha() else " " for c in text)
    for pattern, replacement in _TIDY_STEPS:
        text = pattern.sub(replacement, text)
    text = text.lstrip(" .,?!;:-").rstrip(" ,;:-")
    return text if any(c.isalpha() for c in text) else ""
