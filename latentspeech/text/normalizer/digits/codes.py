"""Reads numbers that name rather than count, digit by digit: cards, ZIP codes, PINs, accounts."""

import re

from latentspeech.text.normalizer.numbers.number_words import digit_groups, digits

_STATES = {
    "AL": "Alabama", "AK": "Alaska", "AZ": "Arizona", "AR": "Arkansas", "CA": "California",
    "CO": "Colorado", "CT": "Connecticut", "DE": "Delaware", "FL": "Florida", "GA": "Georgia",
    "HI": "Hawaii", "ID": "Idaho", "IL": "Illinois", "IN": "Indiana", "IA": "Iowa",
    "KS": "Kansas", "KY": "Kentucky", "LA": "Louisiana", "ME": "Maine", "MD": "Maryland",
    "MA": "Massachusetts", "MI": "Michigan", "MN": "Minnesota", "MS": "Mississippi",
    "MO": "Missouri", "MT": "Montana", "NE": "Nebraska", "NV": "Nevada", "NH": "New Hampshire",
    "NJ": "New Jersey", "NM": "New Mexico", "NY": "New York", "NC": "North Carolina",
    "ND": "North Dakota", "OH": "Ohio", "OK": "Oklahoma", "OR": "Oregon", "PA": "Pennsylvania",
    "RI": "Rhode Island", "SC": "South Carolina", "SD": "South Dakota", "TN": "Tennessee",
    "TX": "Texas", "UT": "Utah", "VT": "Vermont", "VA": "Virginia", "WA": "Washington",
    "WV": "West Virginia", "WI": "Wisconsin", "WY": "Wyoming", "DC": "D C",
}  # fmt: skip
_CARD = re.compile(
    r"(?<![\w.,-])\d{4}([ -])(?:\d{4}\1\d{4}\1\d{1,7}|\d{6}\1\d{4,5})(?![\w-]|[.,]\d)"
)
_ENDING = re.compile(r"\b([Ee]nding (?:in|with)\s)(\d{2,6})\b(?![.,:/-]\d)")
_ZIP = re.compile(rf"\b({'|'.join(_STATES)})\.?,? (\d{{5}})(-\d{{4}})?(?![\w-]|[.,]\d)")
_ZIP_PLUS_FOUR = re.compile(r"(?<![\w.,-])\d{5}-\d{4}(?![\w-]|[.,]\d)")
_POSTCODE = re.compile(r"(?<![\w-])([A-Z]{1,2}\d[A-Z\d]?) (\d[A-Z]{2})(?![\w-])")
_NAMED = re.compile(
    r"\b((?:[Cc]ode|PIN|[Pp]asscode|[Pp]assword|[Aa]ccount|[Ss]erial|[Rr]eference|[Cc]onfirmation|[Tt]racking|"
    r"[Rr]outing|[Oo]rder|[Cc]ase|[Tt]icket|[Ii]nvoice|[Bb]ooking|[Ll]icense|[Pp]assport|ID|OTP|ZIP|[Zz]ip)"
    r"(?: [Cc]ode| [Nn]umber| [Nn]o\.| ID)?(?: is| was|:)? ?#?)(\d{3,20})\b"
    r"(?![.,:/-]\d|%)(?!\s[a-z]{2,20}s\b)"
)
_COUNTED = frozenset(("case", "order", "account", "license", "ticket", "serial"))


def read_codes(text: str) -> str:
    """'ZIP code 90210' -> 'ZIP code nine zero two one zero'; a card is read in its groups."""
    text = _CARD.sub(lambda m: digit_groups(m[0]), text)
    text = _ENDING.sub(lambda m: m[1] + digits(m[2]), text)
    text = _ZIP.sub(_read_zip, text)
    text = _ZIP_PLUS_FOUR.sub(lambda m: digit_groups(m[0]), text)
    text = _POSTCODE.sub(lambda m: f"{_spell(m[1])} {_spell(m[2])}", text)
    return _NAMED.sub(_read_named, text)


def _read_zip(match: re.Match[str]) -> str:
    state = _STATES[match[1]]
    return f"{state} {digit_groups(match[2] + (match[3] or ''))}"


def _read_named(match: re.Match[str]) -> str:
    """'order number 1234' is a code, 'order 500' may be a count."""
    is_bare = match[1].strip().lower() in _COUNTED
    return match[0] if is_bare else match[1].replace("#", "") + digits(match[2])


def _spell(code: str) -> str:
    return " ".join(digits(c) if c.isdigit() else c for c in code)
