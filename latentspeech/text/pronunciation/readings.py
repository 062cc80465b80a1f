"""Chooses between the readings of a word ("I read it yesterday", "a live show") in its sentence.

The dictionary has readings by part of speech for some seven hundred words; the tagger says which
part of speech a word is. `readings.tsv` adds words and tells readings of one part of speech apart
by the words near them ("a lead pipe"). All other words keep the phonemes they have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from latentspeech.text.pronunciation.tagger import Tagger

TABLE = Path(__file__).parent / "readings.tsv"
_PARTS = {
    "noun": ("NN", "NNS"),
    "name": ("NNP",),
    "verb": ("VB", "VBZ", "VBG"),
    "past": ("VBD", "VBN"),
    "adj": ("JJ",),
    "adv": ("RB", "RP"),
}
# Weak and strong forms of these go by what follows, which the dictionary's engine sees to.
_NOT_READINGS = frozenset(("that", "to", "am", "in", "by", "a", "an", "the", "inside", "nearby"))


class SpokenWord(NamedTuple):
    """A word or mark of a sentence, its phonemes as they are, and where it is in the engine's."""

    text: str
    phonemes: str


@dataclass(frozen=True)
class Reading:
    """A line of readings.tsv."""

    tags: frozenset[str]  # empty: any
    phonemes: str
    near: frozenset[str]  # empty: no word is asked for

    def fits(self, words: Sequence[str], place: int, tag: str) -> bool:
        """Whether the word at `place` of a sentence in small letters has this reading."""
        if self.tags and tag not in self.tags:
            return False
        if not self.near:
            return True
        around = set(words[:place]) | set(words[place + 1 :])
        if place > 0:
            around.add("<" + words[place - 1])
        if place + 1 < len(words):
            around.add(">" + words[place + 1])
        return not self.near.isdisjoint(around)


def read_table(path: Path = TABLE) -> dict[str, list[Reading]]:
    """The lines of readings.tsv by word."""
    found: dict[str, list[Reading]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        word, parts, phonemes, *near = line.split("\t")
        tags = frozenset(t for part in parts.split() if part != "any" for t in _PARTS[part])
        cues = frozenset(cue.lower() for cue in " ".join(near).split())
        found.setdefault(word, []).append(Reading(tags, phonemes, cues))
    return found


def tagged_readings(entries: Mapping[str, Any]) -> frozenset[str]:
    """The words in small letters for which a dictionary has several readings by part of speech."""
    return frozenset(
        word
        for word, entry in entries.items()
        if isinstance(entry, dict) and word.islower() and word not in _NOT_READINGS
        if len({reading for tag, reading in entry.items() if tag != "None"}) > 1
    )


def decisive_tag(words: Sequence[str], tags: Sequence[str], place: int) -> str:
    """The tag that chooses the reading of a word; "used to" needs more than its own."""
    tag = tags[place]
    if place > 0 and tag.startswith("VB") and _opens_a_noun(words[place - 1], tags[place - 1]):
        return "NN"
    if words[place] != "used" or place + 1 == len(words) or words[place + 1] != "to":
        return "VBN" if words[place] == "used" else tag
    after_be = "BE" in tags[max(0, place - 3) : place]
    return "VBN" if after_be and tags[place + 1] == "TO" else "VBD"


def _opens_a_noun(word: str, tag: str) -> bool:
    """Whether no verb can follow: "a record", "her moped", but "some record", "her record"."""
    return word in ("a", "an", "the", "every", "no") or (tag == "PRP$" and word != "her")


def tag_sentence(words: Sequence[str]) -> list[str]:
    """The part of speech of each word, from the tagger that ships."""
    return Tagger.load().tag(words)
