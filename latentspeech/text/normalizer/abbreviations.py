"""Reads abbreviations with dots or slashes, initials, and Dr. and St. by their context."""

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
    "assn": "Association", "intl": "International", "govt": "government",
}  # fmt: skip
_BEFORE_NUMBER = {
    "no": "number", "nos": "numbers", "vol": "volume", "p": "page", "pp": "pages", "ch": "chapter",
    "sec": "section", "fig": "figure", "figs": "figures", "eq": "equation", "est": "established",
    "c": "circa", "ca": "circa", "art": "article", "v": "version", "ver": "version",
}  # fmt: skip
_DOTTED = {"e.g.": "for example", "i.e.": "that is", "a.k.a.": "also known as", "ph.d.": "P H D"}
_SLASHED = {"w/o": "without", "w/": "with", "c/o": "care of", "n/a": "not applicable"}

DOTTED_ABBREVIATIONS = frozenset(
    {*TITLES, *_WORDS, "dr", "st", "e.g", "i.e", "a.k.a", "fig", "no", "vol", "pp"}
    | {"jan", "feb", "mar", "apr", "jun", "jul", "aug", "sept", "sep", "oct", "nov", "dec"}
)
SENTENCE_ENDING_ABBREVIATIONS = frozenset(_WORDS) - {"vs", "cf", "approx", "al"} | {"st"}

_ROMAN_OR_NUMBER = r"(?=\s?(?:\d|[IVXLC]+\b))"
_TITLE = re.compile(rf"\b({'|'.join(TITLES)})\b(?:\.|(?=\s[A-Z]))(?=\s|$|[,;:!?])", re.IGNORECASE)
_WORD = re.compile(rf"\b({'|'.join(_WORDS)})\.", re.IGNORECASE)
_BEFORE = re.compile(rf"\b({'|'.join(_BEFORE_NUMBER)})\.{_ROMAN_OR_NUMBER}", re.IGNORECASE)
_DOTS = re.compile(r"(?<![\w.])(e\.\s?g\.|i\.\s?e\.|a\.k\.a\.|ph\.\s?d\.),?", re.IGNORECASE)
_SLASHES = re.compile(r"(?<!\w)(w/o\b|w/(?=\s|\w)|c/o\b|n/a\b)", re.IGNORECASE)
_ST_OR_DR = re.compile(r"(\b[A-Z\d][\w']{0,30}\s)?\b(St|Dr|ST|DR)\b(\.?)(?!\w)(?=(\s+[A-Z])?)")
_ADDRESS = re.compile(r"\d+(?:st|nd|rd|th)?\s(?:[NSEW]\.?\s)?(?:[A-Z]\w{0,30}\s){1,3}$")
_INITIALS = re.compile(r"(?<![\w.])((?:[A-Za-z]\.){2,8})(?!\w)(?=(.{0,3}))", re.DOTALL)
_STARTERS = (
    "The|He|She|It|They|This|That|Then|There|We|You|I|A|An|In|On|At|But|And|So|What|My|Her|His"
)
INITIAL = re.compile(rf"(?<![\w.])(?<![A-Z]\s)([A-HJ-Z])\.(?=\s[A-Z])(?!\s(?:{_STARTERS})\b)")


def read_abbreviations(text: str) -> str:
    """'Dr. Smith, e.g., lives on Elm Dr.' -> 'Doctor Smith, for example, lives on Elm Drive.'"""
    text = _DOTS.sub(_read_dotted, text)
    text = _SLASHES.sub(lambda m: _SLASHED[m[1].lower()] + (" " if m[1][-1] == "/" else ""), text)
    text = _ST_OR_DR.sub(_read_st_or_dr, text)
    text = _BEFORE.sub(lambda m: _like(_BEFORE_NUMBER[m[1].lower()], m[1]), text)
    text = _TITLE.sub(lambda m: TITLES[m[1].lower()] if m[1][0].isupper() else m[0], text)
    text = _WORD.sub(_read_word, text)
    text = _INITIALS.sub(_read_initials, text)
    return INITIAL.sub(r"\1", text)


def _read_dotted(match: re.Match[str]) -> str:
    key = re.sub(r"\s", "", match[1].lower())
    ends = key == "ph.d." and not match.string[match.end() :].strip("'\") ")
    comma = "," if match[0].endswith(",") else ""
    return _like(_DOTTED[key], match[1]) + comma + ("." if ends else "")


def _read_word(match: re.Match[str]) -> str:
    key = match[1].lower()
    if key in ("co", "al", "ave", "ln") and match[1].isupper():
        return match[0]
    words = _like(_WORDS[key], match[1])
    return words + ("." if _ends_sentence(match, key in SENTENCE_ENDING_ABBREVIATIONS) else "")


def _read_st_or_dr(match: re.Match[str]) -> str:
    """A street if a capitalised word stands before and none after, else a saint or a doctor."""
    before, name, dot, capital = match[1] or "", match[2].title(), match[3], match[4]
    start = match.string[max(0, match.start(2) - 90) : match.start(2)]
    address = _ADDRESS.search(start) is not None
    if before and (not capital or address):
        ends = dot and (capital or _ends_sentence(match, True))
        return before + {"St": "Street", "Dr": "Drive"}[name] + ("." if ends else "")
    if not dot and not capital:
        return match[0]
    return before + {"St": "Saint", "Dr": "Doctor"}[name]


def _read_initials(match: re.Match[str]) -> str:
    """'U.S.A.' -> 'U S A'; the last dot stays at the end of the text."""
    letters = match[1].replace(".", " ").strip().upper()
    return letters + ("" if match[2].strip("'\") ") else ".")


def _ends_sentence(match: re.Match[str], may: bool) -> bool:
    rest = match.string[match.end() : match.end() + 4].lstrip("'\")")
    return not rest.strip() or (may and rest[0] == " " and rest.lstrip()[0].isupper())


def _like(words: str, written: str) -> str:
    """Gives `words` the capital that the abbreviation had."""
    return words[0].upper() + words[1:] if written[0].isupper() else words[0].lower() + words[1:]
