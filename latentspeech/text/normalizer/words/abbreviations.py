"""Writes out abbreviations of words: titles, 'etc.', 'No. 5', 'e.g.', 'w/o'.

Those that may end a sentence keep their dot where a sentence ends.
"""

import re

TITLES = {
    "mr": "Mister", "mrs": "Missus", "ms": "Miz", "messrs": "Messieurs", "prof": "Professor",
    "rev": "Reverend", "hon": "Honorable", "gen": "General", "col": "Colonel", "capt": "Captain",
    "lt": "Lieutenant", "sgt": "Sergeant", "maj": "Major", "cmdr": "Commander", "gov": "Governor",
    "sen": "Senator", "rep": "Representative", "pres": "President", "mt": "Mount", "ft": "Fort",
}  # fmt: skip
_WORDS = {  # these may end a sentence; then the dot stays
    "jr": "Junior", "sr": "Senior", "inc": "Incorporated", "ltd": "Limited", "co": "Company",
    "corp": "Corporation", "bros": "Brothers", "ave": "Avenue", "blvd": "Boulevard", "rd": "Road",
    "ln": "Lane", "hwy": "Highway", "apt": "Apartment", "dept": "Department", "univ": "University",
    "etc": "etcetera", "vs": "versus", "approx": "approximately", "cf": "compare", "al": "al",
    "assn": "Association", "intl": "International", "govt": "government", "pkwy": "Parkway",
}  # fmt: skip
_BEFORE_NUMBER = {
    "no": "number", "nos": "numbers", "vol": "volume", "p": "page", "pp": "pages", "ch": "chapter",
    "sec": "section", "fig": "figure", "figs": "figures", "eq": "equation", "est": "established",
    "c": "circa", "ca": "circa", "art": "article", "v": "version", "ver": "version",
}  # fmt: skip
_DOTTED = {"e.g.": "for example", "i.e.": "that is", "a.k.a.": "also known as", "ph.d.": "P H D"}
_SLASHED = {
    "w/o": "without",
    "w/out": "without",
    "w/": "with",
    "c/o": "care of",
    "n/a": "not applicable",
}

DOTTED_ABBREVIATIONS = frozenset(
    {*TITLES, *_WORDS, "dr", "st", "e.g", "i.e", "a.k.a", "fig", "no", "vol", "pp"}
    | {"jan", "feb", "mar", "apr", "jun", "jul", "aug", "sept", "sep", "oct", "nov", "dec"}
)
_NEVER_ENDING = frozenset(("vs", "cf", "approx", "al"))
SENTENCE_ENDING_ABBREVIATIONS = frozenset(_WORDS) - _NEVER_ENDING | {"st"}

# Words that begin a sentence and are no part of a name, so the dot before them ends a sentence.
STARTERS = (
    "The|He|She|It|They|This|That|Then|There|We|You|I|A|An|In|On|At|But|And|So|What|My|Her|His"
)
STARTER = re.compile(rf"(?:{STARTERS}|It's|I'm|We're|They're|When|After|If|Its|Our|Their|Now)\b")

_ROMAN_OR_NUMBER = r"(?=\s?(?:\d|[IVXLC]+\b))"
_TITLE = re.compile(
    rf"\b({'|'.join(TITLES)})\b(?:\.|(?=\s(?-i:[A-Z])))(?<!Gen(?=\s[XYZ]\b))(?=\s|$|[,;:!?])",
    re.IGNORECASE,
)
_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\.(?!\w)", re.IGNORECASE)
_VERSUS = re.compile(
    rf"(?<=[\w)] )vs(?= [\w(])|(?<=[a-z]{{2}} )v\.(?= [A-Z][a-z])(?! (?:{STARTERS})\b)"
)
_BEFORE = re.compile(rf"(?<![\w.])({'|'.join(_BEFORE_NUMBER)})\.{_ROMAN_OR_NUMBER}", re.IGNORECASE)
_DOTS = re.compile(r"(?<![\w.])(e\.\s?g\.|i\.\s?e\.|a\.k\.a\.|ph\.\s?d\.),?", re.IGNORECASE)
_SLASHES = re.compile(r"(?<!\w)(w/o(?:ut)?\b|w/(?=\s|\w)|c/o\b|n/a\b)", re.IGNORECASE)


def read_abbreviations(text: str) -> str:
    """'Mr. Smith, e.g., pp. 3-5, etc.' -> 'Mister Smith, for example, pages 3-5, etcetera.'"""
    text = _DOTS.sub(_read_dotted, text)
    text = _SLASHES.sub(lambda m: _SLASHED[m[1].lower()] + (" " if m[1][-1] == "/" else ""), text)
    text = _VERSUS.sub("versus", text)
    text = _BEFORE.sub(lambda m: _like(_BEFORE_NUMBER[m[1].lower()], m[1]), text)
    text = _TITLE.sub(lambda m: TITLES[m[1].lower()] if m[1][0].isupper() else m[0], text)
    return _WORD.sub(_read_word, text)


def ends_sentence(match: re.Match[str], may: bool) -> bool:
    """Whether the text ends at `match`, or, if it `may`, a capital follows."""
    rest = match.string[match.end() : match.end() + 4].lstrip("'\")")
    return not rest.strip() or (may and rest[0] == " " and rest.lstrip()[0].isupper())


def _read_dotted(match: re.Match[str]) -> str:
    key = re.sub(r"\s", "", match[1].lower())
    rest = match.string[match.end() :].lstrip("'\") ")
    comma = "," if match[0].endswith(",") else ""
    ends = key == "ph.d." and (not rest or (not comma and STARTER.match(rest) is not None))
    return _like(_DOTTED[key], match[1]) + comma + ("." if ends else "")


def _read_word(match: re.Match[str]) -> str:
    key = match[1].lower()
    if key in ("co", "al", "ave", "ln") and match[1].isupper():
        return match[0]
    words = _like(_WORDS[key], match[1])
    return words + ("." if ends_sentence(match, key in SENTENCE_ENDING_ABBREVIATIONS) else "")


def _like(words: str, written: str) -> str:
    """Gives `words` the capital that the abbreviation had."""
    return words[0].upper() + words[1:] if written[0].isupper() else words[0].lower() + words[1:]
