"""Takes stretched letters back: "Nooooo" is "No", "goood" is "good", "hmmmm" is "hmm"."""

import re
from collections.abc import Callable

# Words with a double letter where the same with one letter is a word as well.
_DOUBLE = frozenset(
    """good cool too see free feel keep all ahh hmm shh mmm look book room boom soon food
    loose""".split()  # noqa: SIM905 - a list of quoted words hides it
)
_RUN = re.compile(r"(?i)([^\W\d_])\1{2,}")


def is_stretched(word: str) -> bool:
    """Whether a letter stands three times or more in a row."""
    return _RUN.search(word) is not None


def unstretch(word: str, is_known: Callable[[str], bool]) -> str:
    """The word with each run of a letter as two or one of it, as a known word has it."""
    if len(set(word.lower())) == 1:  # "aaaah" is below; "www" and "zzz" are no stretched words
        return {"a": "ah", "o": "oh"}.get(word[0].lower(), word)
    double, single = (_RUN.sub(times, word) for times in (r"\1\1", r"\1"))
    if double.lower() in _DOUBLE or (is_known(double) and not is_known(single)):
        return double
    return single if is_known(single) or not is_known(word) else word
