"""Spells acronyms, by a small fixed policy, because no rule is right for all of them.

A word of two to five capitals is spelled letter by letter ("F B I") when it has no vowel letter
(BBC, HTML) or stands in `SPELLED` (FBI, USA, CEO). Everything else stays a word: NASA and UNESCO
because they are spoken as words, STOP because capitals may be mere emphasis. Beside another long
word in capitals ("TELL US NOW") a word of `SPELLED` counts as emphasis too.
"""

import re

SPELLED = frozenset(
    """FBI CIA USA USSR UK EU UN US AI API CEO CFO CTO COO IBM ATM USB GPU CPU TPU UFO IQ EQ
    AC DIY FAQ HIV DNA RNA NBA NFL NHL MLB UCLA MIT NYU IPO IRS NSA FDA EPA FAA FCC FTC NGO
    OS UI UX URL IP ISO ACM ASR EST EDT UTC IEC ADHD LA SUV VIP BCE EMI IOU ROI UAE AWS IDE
    SDK SEO RSVP HBO ABC NBC CBS CNN ESPN ICU MRI ECG EEG OCD YMCA YWCA ACLU OECD IMF UAW
    AMD AOL ATP EKG EMT ESL ESP ETA ETF FAO GPA GOP HOA IBS IMO IPA ISBN ISP IUD IVF LGBT
    MBA MVP NIH OCR OEM OTC POV PSA PTA QA SOS TBA TSA UCSD UNHCR UPS USDA USMC USPS UV VA
    WTO AKA DEA DOB DOJ IRC UDP UHF VHF UAV UFC EOF UTF SHA AES FYI EPS
    """.split()  # noqa: SIM905 - a list of quoted words hides it
)
# Of these, the ones that are words as well, so a text wholly in capitals may mean the word.
_WORDS_TOO = frozenset("US LA EST UPS IDE VA AC AKA IT ABC".split())  # noqa: SIM905
_SHOUTED = frozenset(
    ("HMM", "HM", "SHH", "SH", "PSST", "BRR", "MR", "MRS", "MS", "DR", "ST", "NTH")
)
# Capitals beside an acronym that do not make it emphasis: they are acronyms spoken as words.
_SPOKEN_AS_WORDS = frozenset(
    """NASA NATO UNESCO UNICEF OPEC JSON YAML NAACP IEEE NCAA NOAA AARP FIFA UEFA GIF JPEG ASCII RAM
    ROM SIM PIN COVID AIDS ONNX CUDA""".split()  # noqa: SIM905
)
_ACRONYM = re.compile(r"(?<![\w'-])([A-Z]{2,5})('?s)?(?![\w]|-[A-Z]{2})")
_VOWELS = frozenset("AEIOUY")
_MAX_LETTERS = 5
_JOINED = re.compile(r"(?<![\w&'-])[A-Z]{1,3}(?:&[A-Z]{1,3})+(?![\w&-])")
_ORGANISATION = re.compile(r"(?<=\b[Tt]he )WHO\b(?!')")
_COMPUTING = re.compile(
    r"\bIT(?= (?:department|team|staff|support|manager|specialist|industry|infrastructure|sector"
    r"|security|systems?|professionals?|jobs?|company|budget|director|services?|consultants?"
    r"|administrator|admin|skills|equipment|projects?)\b)"
    r"|(?<=\b(?:in|of) )IT(?=[.,;:?!]|$)"
)


_ERA = re.compile(r"\b(AD|BC|BCE|CE)(?=\s\d)|(?<=\d\s)(AD|BC|BCE|CE)\b")


def spell_eras(text: str) -> str:
    """'AD 79' -> 'A D 79'; without a number AD and CE stay as they are."""
    return _ERA.sub(lambda match: " ".join(match[0]), text)


def is_consonants(word: str) -> bool:
    """Whether a word in capitals has no vowel letter and so is read letter by letter."""
    short = 2 <= len(word) <= _MAX_LETTERS
    return short and word not in _SHOUTED and _VOWELS.isdisjoint(word)


def is_known_acronym(word: str) -> bool:
    """Whether a word in capitals is a known acronym with vowels, spelled or not: FBI, NASA."""
    return word in SPELLED or word in _SPOKEN_AS_WORDS


def is_only_an_acronym(word: str) -> bool:
    """Whether a word in capitals can be nothing but a known acronym: 'FBI', not 'US' or 'RAM'."""
    return word in SPELLED and word not in _WORDS_TOO


def spell_acronyms(text: str) -> str:
    """'the FBI and NASA' -> 'the F B I and NASA', 'TVs' -> "T V's", 'AT&T' -> 'A T & T'."""
    text = _JOINED.sub(lambda match: " ".join(match[0]), text)
    for pattern in (_ORGANISATION, _COMPUTING):
        text = pattern.sub(lambda match: " ".join(match[0]), text)
    return _ACRONYM.sub(_spell_acronym, text)


def _spell_acronym(match: re.Match[str]) -> str:
    word, suffix = match[1], match[2] or ""
    consonants = _VOWELS.isdisjoint(word)
    if word in _SHOUTED or len(set(word)) == 1 or not (consonants or word in SPELLED):
        return match[0]
    if not consonants and _is_emphasis(match):
        return match[0]
    return " ".join(word) + ("'s" if suffix else "")


def _is_emphasis(match: re.Match[str]) -> bool:
    text = match.string
    near = text[max(0, match.start() - 30) : match.start()].split()[-1:]
    near += text[match.end() : match.end() + 30].split()[:1]
    words = (word.strip(".,?!;:'\"") for word in near)
    known = SPELLED | _SPOKEN_AS_WORDS
    return any(len(w) > 2 and w.isalpha() and w.isupper() and w not in known for w in words)
