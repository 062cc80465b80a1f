"""The classes that a generator knows, by name or number."""

import difflib
from collections.abc import Sequence

from latentspeech.core.errors import InputError

_SHOWN = 12
_SPACES = str.maketrans("_-/", "   ")


def class_number(label: str | int, class_names: Sequence[str]) -> int:
    """The number of the class that a user names, by its name in any case or by its number.

    Raises:
        InputError: there is no such class; the message names the nearest one.
    """
    text = str(label).strip()
    by_name = {_plain(name): number for number, name in enumerate(class_names)}
    if _plain(text) in by_name:
        return by_name[_plain(text)]
    if text.isdecimal() and int(text) < len(class_names):
        return int(text)
    raise InputError(f"no class {text!r}; {_remedy(text, class_names, by_name)}")


def _remedy(text: str, class_names: Sequence[str], by_name: dict[str, int]) -> str:
    near = difflib.get_close_matches(_plain(text), by_name, n=1, cutoff=0.5)
    if near:
        return f"did you mean {class_names[by_name[near[0]]]!r}?"
    listed = ", ".join(class_names[:_SHOWN])
    more = ", ..." if len(class_names) > _SHOWN else ""
    return f"expected a number below {len(class_names)} or one of {listed}{more}"


def _plain(name: str) -> str:
    """The name without case and with single spaces for dashes, underscores and slashes."""
    return " ".join(name.casefold().translate(_SPACES).split())
