"""A numbered list of single-character symbols: ids 0 and 1 are <pad> and <unk>, the rest follow."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from latentspeech.text.tokenizers.protocol import PAD, PAD_ID, UNK, UNK_ID

logger = logging.getLogger(__name__)


class SymbolTable:
    """Maps characters to ids and back, and counts in `unknown` those it does not have."""

    def __init__(self, symbols: Iterable[str]) -> None:
        self.symbols = tuple(symbols)
        if len(set(self.symbols)) != len(self.symbols) or any(len(s) != 1 for s in self.symbols):
            raise ValueError("symbols must be single characters, each once")
        self.unknown: Counter[str] = Counter()
        self._ids = {symbol: i for i, symbol in enumerate(self.symbols, start=UNK_ID + 1)}
        self._names = (PAD, UNK, *self.symbols)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, symbol: str) -> bool:
        return symbol in self._ids

    def encode(self, text: str) -> list[int]:
        """One id per character; an unknown one gives <unk>, is counted, and is logged once."""
        ids = [self._ids.get(symbol, UNK_ID) for symbol in text]
        if UNK_ID in ids:
            for symbol in (s for s in text if s not in self._ids):
                if symbol not in self.unknown:
                    logger.warning("symbol %r is not in the inventory; it becomes <unk>", symbol)
                self.unknown[symbol] += 1
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The characters of `ids`, <pad> left out."""
        outside = [i for i in ids if not 0 <= i < len(self)]
        if outside:
            raise ValueError(f"token id {outside[0]} is outside 0 to {len(self) - 1}")
        return "".join(self._names[i] for i in ids if i != PAD_ID)
