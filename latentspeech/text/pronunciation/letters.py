"""Finds where "A" and "I" are names of letters, and not the article and the pronoun.

Normalised text has acronyms as single letters ("the U S A"), so what stands beside a word decides:
"an A", "vitamin A", "A to Z" and "a, b, c" have the letter, "A man" and "Once Upon A Time" have the
article. A letter that is meant as such is written as its small capital, which the lexicon names.
"""

import re

LETTER_NAMES = {"\u1d00": "\u02c8A", "\u026a": "\u02c8I"}  # small capitals of A and I
_SMALL_CAPITAL = {"A": "\u1d00", "a": "\u1d00", "I": "\u026a"}

_ANY = re.compile(r"(?<![\w'-])[AaI](?![\w'-])")
_TOKEN = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*|[^\w\s]+")
_END_MARKS = (".", "?", "!", ";", ":")
# Words before a letter that is a name: "vitamin A". The first few take it in any position.
_LABELS = frozenset(
    """an the this that my his her your our their one two three straight double triple vitamin
    letter letters plan grade grades option section hepatitis hep type group team figure exhibit
    appendix table part unit class level point line column variable vowel note key block gate pier
    platform
    route building room answer choice league division series model influenza strep size""".split()  # noqa: SIM905 - a list of quoted words hides it
)
_NAMED = frozenset("vitamin letter option plan grade answer vowel hepatitis hep exhibit".split())  # noqa: SIM905
# Words that no article can precede.
_AFTER_A_LETTER = frozenset(
    """to and or nor but is was are were has had for in on of from than equals versus stands means
    comes goes as at would""".split()  # noqa: SIM905
)
_POWERS = frozenset("squared cubed equals".split())  # noqa: SIM905
_OPERATIONS = frozenset("plus minus times over".split())  # noqa: SIM905
_AFTER_A_PRONOUN = frozenset(
    "am was have had will would think can could do did don't know saw want like take".split()  # noqa: SIM905
)


def name_letters(text: str) -> str:
    """'an A in the U S A' with each A as a small capital; an article stays as it is."""
    if _ANY.search(text) is None:
        return text
    matches = list(_TOKEN.finditer(text))
    tokens = [match[0] for match in matches]
    pieces: list[str] = []
    end = 0
    for place, match in enumerate(matches):
        letter = _SMALL_CAPITAL.get(match[0])
        if letter is not None and _is_letter(tokens, place):
            pieces += [text[end : match.start()], letter]
            end = match.end()
    return "".join([*pieces, text[end:]])


def _is_letter(tokens: list[str], place: int) -> bool:
    word = tokens[place]
    if word == "I":
        return _is_letter_i(tokens, place)
    if word == "a":
        return _is_small_letter_a(tokens, place)
    before, after = _beside(tokens, place)
    if _is_capital(before):  # "U S A"
        return True
    if place == 0 or (not before[:1].isalpha() and before != ","):
        return _opens_as_letter(tokens, place)
    if before.lower() in _LABELS or not after[:1].isupper():
        return True
    return len(after) == 1  # "work with A I", but "Once Upon A Time"


def _opens_as_letter(tokens: list[str], place: int) -> bool:
    """Whether "A" at the start of a sentence is a letter."""
    run = place + 1
    while run < len(tokens) and _is_capital(tokens[run]):
        run += 1
    after = tokens[run] if run < len(tokens) else ""
    ends = after == "" or not after[:1].isalpha() or after.lower() in _AFTER_A_LETTER
    # "A I wrote", "A B C", but "A U turn", "A T shirt"
    return ends or run > place + 2 or (run == place + 2 and tokens[place + 1] == "I")


def _is_small_letter_a(tokens: list[str], place: int) -> bool:
    before, after = _beside(tokens, place)
    if after == "" or after in _END_MARKS or after in _POWERS:
        return True
    if after in _OPERATIONS:  # "a plus b", but "a plus for us"
        return len(_beside(tokens, place + 1)[1]) == 1
    is_listed = after == "," and (len(_beside(tokens, place + 1)[1]) == 1 or before in _NAMED)
    is_named = before in _NAMED and after in _AFTER_A_LETTER
    is_spelled = len(after) == 1 and after.islower() and after not in "aio"
    follows = len(before) == 1 and before.islower() and after in ("and", "or", ",")
    return is_listed or is_named or is_spelled or follows


def _is_letter_i(tokens: list[str], place: int) -> bool:
    before, after = _beside(tokens, place)
    if _is_capital(after) and after != "I":  # "I Q"
        return True
    if not _is_capital(before):
        return False
    if before == "I":  # "the U I I like"
        return after.lower() not in _AFTER_A_PRONOUN
    if before == "A" or after.lower() not in _AFTER_A_PRONOUN:  # "A I", "the U I is"
        return True
    far = tokens[place - 2] if place > 1 else ""
    return far.lower() not in _LABELS - {"the", "an"}  # "plan B I think"


def _beside(tokens: list[str], place: int) -> tuple[str, str]:
    before = tokens[place - 1] if place > 0 else ""
    after = tokens[place + 1] if place + 1 < len(tokens) else ""
    return before, after


def _is_capital(token: str) -> bool:
    return len(token) == 1 and token.isupper()
