"""The readings that `<say-as interpret-as="...">` of SSML asks for, as words for the normaliser."""

import re
from collections.abc import Callable

from latentspeech.core.errors import InputError

_SIGNS = {
    "-": "dash", ".": "dot", "@": "at", "/": "slash", "_": "underscore", "#": "hash",
    "*": "star", "+": "plus", "&": "and", "%": "percent", ":": "colon", ",": "comma",
}  # fmt: skip
_MOST_DIGITS = 30


def say_as(text: str, kind: str) -> str:
    """Returns a text as its kind is read: "characters" makes "W3C" "W three C".

    Raises:
        InputError: the kind is unknown, or the text is not of that kind.
    """
    reader = _READERS.get(kind)
    if reader is None:
        raise InputError(f"interpret-as is {kind!r}; expected one of {', '.join(sorted(_READERS))}")
    return reader(text)


def _characters(text: str) -> str:
    return " ".join(_character(sign) for sign in text if not sign.isspace())


def _character(sign: str) -> str:
    if sign.isascii() and sign.isdigit():
        return _words(int(sign))
    return sign.upper() if sign.isalpha() else _SIGNS.get(sign, "")


def _digits(text: str) -> str:
    return " ".join(_words(int(sign)) for sign in _digits_of(text, "digits"))


def _cardinal(text: str) -> str:
    sign = "minus " if text.lstrip().startswith(("-", "\u2212")) else ""
    return sign + _words(int(_digits_of(text, "a whole number")))


def _ordinal(text: str) -> str:
    return _words(int(_digits_of(text, "a whole number")), "ordinal")


def _words(number: int, kind: str = "cardinal") -> str:
    # It loads fifty languages, which is for those only who ask for a reading.
    from num2words import num2words

    words: str = num2words(number, to=kind)
    return words


def _digits_of(text: str, expected: str) -> str:
    digits = re.sub(r"[\s,\u2212-]|(?<=\d)(?:st|nd|rd|th)\b", "", text)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _MOST_DIGITS):
        raise InputError(
            f"say-as has {text[:40]!r}; expected {expected} of at most {_MOST_DIGITS} digits"
        )
    return digits


def _as_written(text: str) -> str:
    """The normaliser reads these as they stand."""
    return text


_READERS: dict[str, Callable[[str], str]] = {
    "characters": _characters,
    "spell-out": _characters,
    "verbatim": _characters,
    "digits": _digits,
    "cardinal": _cardinal,
    "number": _cardinal,
    "ordinal": _ordinal,
    **dict.fromkeys(
        ("address", "currency", "date", "fraction", "measure", "name", "telephone", "time", "unit"),
        _as_written,
    ),
}
