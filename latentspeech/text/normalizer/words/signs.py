"""Names signs that are words (`&`, `@`, `#`, a lone Greek letter)."""

import re
import unicodedata

_SIGNS = {
    "&": "and", "@": "at", "+": "plus", "=": "equals", "%": "percent", "\u00b0": "degrees",
    "$": "dollars", "\u00a3": "pounds", "\u20ac": "euros", "\u00a5": "yen", "\u00a2": "cents",
    "\u00d7": "times", "\u00f7": "divided by", "\u00b1": "plus or minus", "\u00a7": "section",
    "\u00a9": "copyright", "\u2192": "to", "\u2248": "approximately", "\u2264": "at most",
    "\u2265": "at least", "\u2260": "is not equal to", "\u221e": "infinity",
    "\u221a": "square root of", "\u2211": "sum of", "\u222b": "integral of",
    "\u2202": "partial", "\u2208": "in", "\u221d": "is proportional to",
}  # fmt: skip
_SIGN = re.compile("[" + "".join(map(re.escape, _SIGNS)) + "]")
_HASH_NUMBER = re.compile(r"#(?=\d)")
_HASHTAG = re.compile(r"#(?=[^\W\d_])")
_ABOUT = re.compile(r"~\s?(?=\d)")
_COMPARISON = re.compile(r"([<>]=?)(?=\s?-?\d)")
_COMPARISONS = {"<": "less than", ">": "greater than", "<=": "at most", ">=": "at least"}
_SMILEY = re.compile(r"(?<!\S)[:;=xX]-?[DPp](?!\S)(?<!x[pP])(?<!X[pP])")
_GREEK_BEFORE_LETTER = re.compile(
    r"(?<![^\W\d_])[\u0391-\u03a9\u03b1-\u03c9](?=[A-Za-z](?![^\W\d_]))"
)
_GREEK = re.compile(r"(?<![^\W\d_])[\u0391-\u03a9\u03b1-\u03c9](?![^\W\d_])")


def read_signs_before_numbers(text: str) -> str:
    """'#5' -> 'number 5', '~5' -> 'about 5', ' < 5' -> ' less than 5'."""
    text = _ABOUT.sub("about ", _HASH_NUMBER.sub("number ", text))
    text = _COMPARISON.sub(lambda m: f" {_COMPARISONS[m[1]]} ", text)
    return _HASHTAG.sub("hashtag ", text)


def read_signs(text: str) -> str:
    """'salt & pepper' -> 'salt and pepper'; a Greek letter alone is named."""
    text = _GREEK_BEFORE_LETTER.sub(lambda m: _name_greek(m) + " ", text)
    text = _GREEK.sub(_name_greek, _SMILEY.sub(" ", text))
    return _SIGN.sub(lambda m: f" {_SIGNS[m[0]]} ", text)


def _name_greek(match: re.Match[str]) -> str:
    return (
        unicodedata.name(match[0], "")
        .split(" WITH ")[0]
        .rsplit(" ", 1)[-1]
        .lower()
        .replace("lamda", "lambda")
    )
