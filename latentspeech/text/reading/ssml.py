"""SSML 1.1: mark-up within `<speak>` that says how a text is spoken (https://www.w3.org/TR/speech-synthesis11).

What changes speech here: break, phoneme (IPA), say-as, sub, prosody rate, p and s. Other elements
of the standard change nothing: their text is spoken, as the standard allows, and a warning names
them. An element that the standard does not know is refused, since it is a slip of the pen more
often than not; with a prefix (`mstts:express-as`) it is another vendor's and is passed over.
Document types are refused, so that no entity can grow.
"""

import difflib
import logging
import re
from dataclasses import dataclass, field
from xml.parsers import expat

from latentspeech.core.errors import ConfigError, InputError
from latentspeech.text.reading.delivery import check_rate
from latentspeech.text.reading.ipa import misaki_from_ipa
from latentspeech.text.reading.marked_text import Break, Marked, Run
from latentspeech.text.reading.say_as import say_as

logger = logging.getLogger(__name__)

MAX_BREAK_S = 60.0
_STRENGTHS_S = {
    "none": 0.0, "x-weak": 0.1, "weak": 0.2, "medium": 0.4, "strong": 0.7, "x-strong": 1.2,
}  # fmt: skip
_RATES = {
    "x-slow": 0.6, "slow": 0.8, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.6,
}  # fmt: skip
_BLOCKS = {"p": "p", "paragraph": "p", "s": "s", "sentence": "s"}
_READ = frozenset({"phoneme", "say-as", "sub"})  # their text is one stretch
_SILENT = frozenset({"metadata", "meta", "desc", "lexicon", "mark", "lookup"})
_PASSED_OVER = frozenset({"audio", "emphasis", "lang", "token", "voice", "w"})
_KNOWN = frozenset({"speak", "break", "prosody"}) | {*_BLOCKS} | _READ | _SILENT | _PASSED_OVER
_START = re.compile(
    r"\ufeff?\s*(?:<\?xml[^>]*\?>\s*)?(?:<!--.*?-->\s*)*<(?:speak\b|!DOCTYPE\b)", re.S
)
_SENTENCE_ENDS = tuple(".?!")


def is_ssml(text: str) -> bool:
    """Whether a text is SSML: it begins with `<speak`, or with what XML has before it.

    XML's declaration and comments may come first; a document type counts, and is then refused.
    """
    return _START.match(text) is not None


def parse_ssml(text: str) -> Marked:
    """Returns what an SSML document says.

    Raises:
        InputError: the document is not well-formed, has a document type, or has an element or
            value that is unknown; the message gives line and column.
    """
    parser = expat.ParserCreate()
    document = _Document(parser)
    parser.StartElementHandler = document.start
    parser.EndElementHandler = document.end
    parser.CharacterDataHandler = document.characters
    parser.StartDoctypeDeclHandler = document.doctype
    try:
        parser.Parse(_from_declaration(text), True)
    except expat.ExpatError as error:
        raise InputError(
            f"the SSML is not well-formed: {expat.ErrorString(error.code)} in line "
            f"{error.lineno}, column {error.offset + 1}; mend it, and write & as &amp; and < as "
            "&lt; within the text"
        ) from None
    except (ConfigError, InputError) as error:
        raise InputError(f"SSML, {document.place}: {error}") from None
    if document.passed_over:
        names = ", ".join(sorted(document.passed_over))
        logger.warning("these parts of the SSML change nothing in this voice: %s", names)
    return tuple(document.found)


def _from_declaration(text: str) -> str:
    """Returns the document without what may not precede an XML declaration; lines keep numbers."""
    text = text.removeprefix("\ufeff")
    return text.lstrip() if text.lstrip().startswith("<?xml") else text


@dataclass
class _Document:
    """What was read so far."""

    parser: expat.XMLParserType
    place: str = ""  # of the last tag that began
    found: list[Run | Break] = field(default_factory=list)
    passed_over: set[str] = field(default_factory=set)
    rates: list[float] = field(default_factory=lambda: [1.0])
    silent: int = 0  # depth of elements whose text is not spoken
    read: tuple[str, dict[str, str]] | None = None  # the element that reads the text, if any
    text: str = ""  # of that element

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._mark_place()
        if self.read is not None:
            raise InputError(f"<{name}> stands in <{self.read[0]}>; expected text alone there")
        if name in _SILENT or self.silent:
            self.silent += 1
        elif name in _READ:
            self.read, self.text = (name, attributes), ""
        elif name in _BLOCKS:
            self._boundary(_BLOCKS[name])
        elif name == "break":
            self.found.append(Break(_break_s(attributes)))
        elif name == "prosody":
            self._prosody(attributes)
        elif name in _PASSED_OVER or ":" in name:
            self.passed_over.add(f"<{name}>")
        elif name not in _KNOWN:
            near = difflib.get_close_matches(name, _KNOWN, 1)
            hint = f"did you mean <{near[0]}>?" if near else "leave it out"
            raise InputError(f"<{name}> is no element of SSML; {hint}")

    def end(self, name: str) -> None:
        if self.silent:
            self.silent -= 1
        elif self.read is not None:
            element, attributes = self.read
            self.read = None
            self.found.append(_stretch(element, attributes, self.text, self.rates[-1]))
        elif name in _BLOCKS:
            self._boundary(_BLOCKS[name])
        elif name == "prosody":
            self.rates.pop()

    def characters(self, text: str) -> None:
        if self.read is not None:
            self.text += text
        elif not self.silent:
            self.found.append(Run(text, rate=self.rates[-1]))

    def doctype(self, *_: object) -> None:
        self._mark_place()
        raise InputError("it has a document type (<!DOCTYPE ...>), which is not read; leave it out")

    def _mark_place(self) -> None:
        parser = self.parser
        self.place = f"line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}"

    def _boundary(self, kind: str) -> None:
        """Ends the sentence before an element that is one, and begins a new one after it."""
        said = "".join(part.text for part in self.found[-8:] if isinstance(part, Run)).rstrip()
        if said and said[-1].isalnum():
            self.found.append(Run(".", written="", rate=self.rates[-1]))
        self.found.append(Run("\n\n") if kind == "p" else Break())

    def _prosody(self, attributes: dict[str, str]) -> None:
        others = [name for name in attributes if name != "rate"]
        self.passed_over.update(f"{name} of <prosody>" for name in others)
        rate = self.rates[-1] * _rate(attributes.get("rate", "medium"))
        check_rate(rate, "the rate of <prosody>")
        self.rates.append(rate)


def _stretch(name: str, attributes: dict[str, str], text: str, rate: float) -> Run:
    """Returns the run of an element that says how its text is read."""
    text = " ".join(text.split())
    if name == "sub":
        return Run(_needed(name, attributes, "alias"), text, None, rate)
    if name == "say-as":
        return Run(say_as(text, _needed(name, attributes, "interpret-as")), text, None, rate)
    alphabet = attributes.get("alphabet", "ipa")
    if alphabet != "ipa":
        raise InputError(f"the alphabet of <phoneme> is {alphabet!r}; expected ipa")
    phonemes = misaki_from_ipa(_needed(name, attributes, "ph"))
    # Any word will do where there is none, since the phonemes take its place.
    spelled = text if any(map(str.isalpha, text)) else "word"
    return Run(spelled, text, phonemes, rate)


def _needed(name: str, attributes: dict[str, str], attribute: str) -> str:
    value = attributes.get(attribute, "").strip()
    if not value:
        raise InputError(f'<{name}> has no {attribute}; write <{name} {attribute}="...">')
    return value


def _break_s(attributes: dict[str, str]) -> float:
    time = attributes.get("time")
    if time is None:
        strength = attributes.get("strength", "medium")
        if strength not in _STRENGTHS_S:
            raise InputError(
                f"the strength of <break> is {strength!r}; expected {', '.join(_STRENGTHS_S)}"
            )
        return _STRENGTHS_S[strength]
    match = re.fullmatch(r"\+?(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})(ms|s)", time.strip())
    seconds = float(match[1]) / (1000 if match[2] == "ms" else 1) if match else -1.0
    if not 0 <= seconds <= MAX_BREAK_S:
        raise InputError(
            f"the time of <break> is {time!r}; expected 0s to {MAX_BREAK_S:g}s, as 500ms or 1.5s"
        )
    return seconds


def _rate(value: str) -> float:
    """Returns the factor of a rate: a word, "80%", "+20%", or a number."""
    value = value.strip()
    if value in _RATES:
        return _RATES[value]
    match = re.fullmatch(r"([+-]?)(\d{1,4}(?:\.\d{0,6})?)(%?)", value)
    if match is None:
        raise InputError(
            f"the rate of <prosody> is {value!r}; expected {', '.join(_RATES)}, a percentage as "
            "80% or +20%, or a factor as 1.2"
        )
    number = float(match[2]) / (100 if match[3] else 1)
    if match[1] and match[3]:
        return 1 + number if match[1] == "+" else 1 - number
    return number
