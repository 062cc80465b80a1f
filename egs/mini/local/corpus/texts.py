"""Sentences to speak: a small list of our own, and two public-domain collections once installed.

State of the Union addresses and Moby-Dick, as CC0 data sets of npm packages; 3 to 25 words a
sentence, without digits, abbreviations or anything else whose reading is in doubt.
"""

import json
import random
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from latentspeech.core.errors import DataError
from latentspeech.core.seeds import derive_seed

BUILT_IN = Path(__file__).parent / "sentences.txt"
_COLLECTIONS = ("sotu", "moby-dick")
_MIN_WORDS, _MAX_WORDS = 3, 25
_SPELLINGS = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": ",", "\u2014": ","}
)
# A full stop after these ends no sentence, and what holds one inside is not allowed below.
_NO_END = "".join(
    rf"(?<!\b{word}\.)" for word in ("[A-Z]", "Mr", "Mrs", "Dr", "St", "No", "Gen", "Hon")
)
_SENTENCE_END = re.compile(rf"(?<=[.?!]){_NO_END}\"?\s+(?=[A-Z\"])")
_ALLOWED = re.compile(r"[A-Z][A-Za-z ,;:'-]+[.?!]")
# All-capital words, single letters and Roman numerals are read in more than one way.
_DOUBTFUL = re.compile(r"\b[A-Z]{2,}\b|\b[B-HJ-NP-Z]\b")
# Words of their time that a voice of ours need not learn to say.
_OFFENSIVE = re.compile(r"negro|nigger|savage|heathen|cannibal|squaw|lynch|rape", re.IGNORECASE)


def built_in_sentences() -> list[str]:
    """The list that needs no download."""
    return BUILT_IN.read_text(encoding="utf-8").splitlines()


def installed_sentences(downloads: Path) -> list[str]:
    """The built-in list and both collections, no sentence twice, always in the same order."""
    found = list(built_in_sentences())
    for name in _COLLECTIONS:
        folder = downloads / "texts" / name
        files = sorted(folder.glob("*.json"))
        if not files:
            raise DataError(f"no texts in {folder}; run egs/mini/local/install_sources.sh texts")
        for path in files:
            document = json.loads(path.read_text("utf-8"))
            # Their folders hold lists besides: of stop words, of chapters.
            if isinstance(document, dict) and isinstance(document.get("text"), str):
                found.extend(clean_sentences(document["text"]))
    return unique(found)


def clean_sentences(text: str) -> Iterator[str]:
    """The sentences of a text that can be read in one way only."""
    text = " ".join(text.translate(_SPELLINGS).split())
    for raw in _SENTENCE_END.split(text):
        sentence = re.sub(r"\s*,[\s,]*", ", ", raw.replace('"', "").replace("--", ", ")).strip()
        num_words = len(sentence.split())
        if (
            _MIN_WORDS <= num_words <= _MAX_WORDS
            and _ALLOWED.fullmatch(sentence)
            and not _DOUBTFUL.search(sentence)
            and not _OFFENSIVE.search(sentence)
        ):
            yield sentence


def unique(sentences: Iterable[str]) -> list[str]:
    """Drops a sentence whose letters have been seen, whatever its case and punctuation."""
    kept: dict[str, str] = {}
    for sentence in sentences:
        kept.setdefault(re.sub(r"[^a-z]", "", sentence.lower()), sentence)
    return list(kept.values())


def shuffled(sentences: list[str], seed: int) -> list[str]:
    """In an order that depends on the seed alone."""
    result = list(sentences)
    random.Random(derive_seed(seed, "corpus sentences")).shuffle(result)
    return result
