"""Chooses between the readings of a word ("I read it yesterday", "a live show") in its sentence.

The dictionary has readings by part of speech for some seven hundred words; the tagger says which
part of speech a word is. `readings.tsv` adds words and tells readings of one part of speech apart
by the words near them ("a lead pipe"). All other words keep the phonemes they have.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
# Of these the dictionary's entry without a part of speech is the adjective, not the verb.
_ADJECTIVES = frozenset("content contents invalid close closer overweight converse uptown".split())  # noqa: SIM905
_NOUNS = frozenset(("NN", "NNS"))
# An adjective before these does not end a phrase.
_GOES_ON = frozenset(("NN", "NNS", "NNP", "JJ", ",", "CC", "VBN", "VBG"))
_FINITE = frozenset(("VB", "VBZ", "VBD", "BE", "HV", "DO", "MD"))
_PREPOSITIONS = frozenset("of in for with from by on at about against into without".split())  # noqa: SIM905
# Weak and strong forms of these go by what follows, which the dictionary's engine sees to.
_NOT_READINGS = frozenset(("that", "to", "am", "in", "by", "a", "an", "the", "inside", "nearby"))


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
    several = (
        word
        for word, entry in entries.items()
        if isinstance(entry, dict)
        if len({reading for tag, reading in entry.items() if tag != "None"}) > 1
    )
    # A word that stands in the dictionary with a capital alone is also that in small letters.
    given = entries.keys()
    small = (
        word.lower()
        for word in several
        if word.islower() or (word.istitle() and word.lower() not in given)
    )
    return frozenset(small) - _NOT_READINGS


def decisive_tag(words: Sequence[str], tags: Sequence[str], place: int) -> str:
    """The tag that chooses the reading of a word: its own, or what its neighbours make of it.

    The tagger is right for 95 words in a hundred, so sure signs go before it: after "the" stands no
    verb, after the "to" of a verb no noun.
    """
    if words[place] == "used":
        return _tag_of_used(words, tags, place)
    if place > 0 and _is_surely_noun(words, tags, place):
        return "NN"
    if place > 0 and _is_surely_verb(tags, place):
        return "VBZ" if tags[place] == "NNS" else "VB"
    return tags[place]


def _is_surely_noun(words: Sequence[str], tags: Sequence[str], place: int) -> bool:
    tag, before = tags[place], tags[place - 1]
    after = tags[place + 1] if place + 1 < len(tags) else "."
    if _opens_a_noun(words[place - 1], before):
        return tag in ("VB", "VBZ", "VBD") or (tag == "JJ" and after not in _GOES_ON)
    if words[place - 1] in _PREPOSITIONS:  # "piles of refuse"
        return tag in ("VB", "IN")
    if before == "CC" and tag == "VBZ":  # "people and objects"
        return place > 1 and tags[place - 2] == "NNS"
    return before in _NOUNS and after in _FINITE and tag == "VB"  # "his work permit has"


def _is_surely_verb(tags: Sequence[str], place: int) -> bool:
    tag, before = tags[place], tags[place - 1]
    if before == "TO" and tag in ("NN", "JJ"):
        return True
    agrees = (before, tag) in (("NNS", "NN"), ("NN", "NNS"))
    return agrees and tags[-1] == "." and _FINITE.isdisjoint(tags)  # "The muscles contract."


def _opens_a_noun(word: str, tag: str) -> bool:
    """Whether no verb can follow: "a record", "my moped", but "some record", "made her record"."""
    return word in ("a", "an", "the", "every", "no", "one") or (tag == "PRP$" and word != "her")


def tag_in_entry(word: str, entry: object, tag: str) -> str:
    """The tag to look up in a dictionary's entry: a noun before a noun may look like an adjective.

    An entry with a noun and a reading for all else ("produce") has no adjective, with exceptions.
    """
    is_pair = isinstance(entry, dict) and "NOUN" in entry and "ADJ" not in entry
    return "NN" if tag == "JJ" and is_pair and word not in _ADJECTIVES else tag


def _tag_of_used(words: Sequence[str], tags: Sequence[str], place: int) -> str:
    """VBD for "they used to" and "is used to smoke", VBN for "a rope was used to climb"."""
    if words[place + 1 : place + 2] != ["to"]:
        return "VBN"
    after_be = "BE" in tags[max(0, place - 3) : place]
    return "VBN" if after_be and tags[place + 1] == "TO" else "VBD"


def tag_sentence(words: Sequence[str]) -> list[str]:
    """The part of speech of each word, from the tagger that ships."""
    return Tagger.load().tag(words)
