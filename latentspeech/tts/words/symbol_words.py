"""The symbols of a piece of text, and which of them speak each written word."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from latentspeech.core.errors import ConfigError
from latentspeech.text.normalizer import NormalizedText
from latentspeech.text.reading import Piece, Reading
from latentspeech.text.tokenizers import MisakiTokenizer, Tokenizer
from latentspeech.text.tokenizers.misaki import MARKS


@dataclass(frozen=True)
class SymbolWord:
    """A written word and the symbols that speak it, without the space and the marks after it."""

    text: str  # empty: its beginning is in the piece before
    start: int  # place of its first symbol
    stop: int  # behind its last one
    rate: float = 1.0  # times the voice's own pace


@dataclass(frozen=True)
class PieceSymbols:
    """A piece as the model reads it."""

    text: NormalizedText
    ids: tuple[int, ...] | None  # None: the tokenizer's own
    words: tuple[SymbolWord, ...]  # none if their times are not known
    rate: float = 1.0  # of what belongs to no word

    @property
    def is_stretched(self) -> bool:
        """Whether any part of it has another pace than the voice's own."""
        return self.rate != 1 or any(word.rate != 1 for word in self.words)


def piece_symbols(
    tokenizer: Tokenizer, reading: Reading, piece: Piece, speed: float, timed: bool
) -> PieceSymbols:
    """Returns the symbols of a piece, with the pronunciations that the text gives for words.

    Args:
        tokenizer: the model's.
        reading: the whole text.
        piece: one of its pieces.
        speed: times the voice's own pace, for the whole text.
        timed: whether the model knows when its symbols are heard.

    Raises:
        ConfigError: the text gives pronunciations, and the tokenizer knows no phonemes; or the pace
            changes within a piece, and the model does not know when its symbols are heard.
    """
    written = [reading.words[owner] for owner in dict.fromkeys(piece.owners)]
    rates = {word.rate * speed for word in written}
    if not timed and len(rates) > 1:
        raise ConfigError(
            f"the rate changes within {piece.text[:40]!r}, and this model does not know when its "
            "words are heard; put <prosody rate> around whole sentences"
        )
    if not timed and not any(word.phonemes for word in written):
        return PieceSymbols(piece.text, None, (), rates.pop())
    ids, words = _with_pronunciations(tokenizer, reading, piece, speed)
    if timed:
        return PieceSymbols(piece.text, ids, words, speed)
    return PieceSymbols(piece.text, ids, (), rates.pop())


def _with_pronunciations(
    tokenizer: Tokenizer, reading: Reading, piece: Piece, speed: float
) -> tuple[tuple[int, ...], tuple[SymbolWord, ...]]:
    """Returns the ids of a piece and its written words."""
    ids = tokenizer.encode(piece.text)
    spans = _word_spans([tokenizer.decode([one]) for one in ids])
    # A tokenizer that makes more or fewer words shares them out in order.
    count = len(piece.owners)
    owned = [(piece.owners[k * count // len(spans)], span) for k, span in enumerate(spans)]
    found: list[int] = []
    words: list[SymbolWord] = []
    end = 0
    for owner, group in groupby(owned, lambda pair: pair[0]):
        parts = [span for _, span in group]
        first, last = parts[0][0], parts[-1][1]
        word = reading.words[owner]
        found += ids[end:first]
        own = ids[first:last] if word.phonemes is None else _phonemes(tokenizer, word.phonemes)
        start = len(found)
        found += own
        text = "" if piece.begins_within_word and not words else word.text
        words.append(SymbolWord(text, start, len(found), word.rate * speed))
        end = last
    return tuple(found + ids[end:]), tuple(words)


def _phonemes(tokenizer: Tokenizer, phonemes: str) -> list[int]:
    if not isinstance(tokenizer, MisakiTokenizer):
        raise ConfigError(
            "the text gives pronunciations in IPA, and this model reads letters; give spellings "
            "instead, or use a model with the tokenizer misaki"
        )
    return tokenizer.table.encode(phonemes)


def _word_spans(symbols: Sequence[str]) -> list[tuple[int, int]]:
    """Returns the places of the first symbol of each word and behind its last one."""
    spans = []
    for is_space, group in groupby(enumerate(symbols), lambda pair: pair[1].isspace()):
        heard = [place for place, symbol in group if symbol in MARKS or symbol[0].isalnum()]
        if not is_space and heard:
            spans.append((heard[0], heard[-1] + 1))
    return spans
