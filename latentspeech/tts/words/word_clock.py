"""Tells when the words of a piece are heard, while it is written (layout `aligned`).

In this layout each symbol of the text stands before the latents that speak it. A symbol begins, by
the convention of training, somewhere within the latent that follows it, so half a latent is added.
A word ends where the space or mark after it begins, since pauses belong to those. Where no latent
follows, that is the end of the piece. The first word begins with the silence before the speech.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from latentspeech.tts.words.symbol_words import PieceSymbols

_WITHIN_LATENT = 0.5  # of a latent: where a symbol begins, on average


@dataclass(frozen=True)
class WordTime:
    """A word as it is written in the text, and when it is heard."""

    text: str
    start_s: float  # from the start of the audio
    end_s: float

    def later(self, seconds: float) -> "WordTime":
        """Returns the same word, heard so many seconds later."""
        return replace(self, start_s=self.start_s + seconds, end_s=self.end_s + seconds)


class WordClock:
    """Follows the symbols and latents of one piece; times are from the start of its audio."""

    def __init__(self, piece: PieceSymbols, frame_rate: float) -> None:
        self._words = piece.words
        self._rate = piece.rate  # before the first word
        self._frame_s = 1 / frame_rate
        self._starts: list[float] = []  # s at which each symbol so far begins
        self._time_s = 0.0
        self._begun = 0  # words
        self._ended = 0
        self._unsure: list[WordTime] = []  # ended words, whose end lies behind the latents so far

    @property
    def rate(self) -> float:
        """The pace of the word that is being spoken."""
        return self._words[self._begun - 1].rate if self._begun else self._rate

    def add_latent(self) -> None:
        """Goes on by a latent."""
        self._time_s += self._frame_s / self.rate

    def add_symbol(self) -> list[WordTime]:
        """Notes that the next symbol begins here; returns the words that have ended before."""
        place = len(self._starts)
        if self._begun < len(self._words) and self._words[self._begun].start <= place:
            self._begun += 1
        within = _WITHIN_LATENT * self._frame_s / self.rate if place else 0.0
        self._starts.append(self._time_s + within)
        self._end_words(place, self._starts[-1])
        sure = [word for word in self._unsure if word.end_s <= self._time_s]
        self._unsure = self._unsure[len(sure) :]
        return sure

    def finish(self) -> list[WordTime]:
        """Returns the other words; none ends after the piece."""
        self._end_words(len(self._starts), self._time_s)
        last, self._unsure = self._unsure, []
        end_s = self._time_s
        return [
            replace(word, start_s=min(word.start_s, end_s), end_s=min(word.end_s, end_s))
            for word in last
        ]

    def _end_words(self, place: int, end_s: float) -> None:
        while self._ended < self._begun and self._words[self._ended].stop <= place:
            word = self._words[self._ended]
            if word.text:
                self._unsure.append(WordTime(word.text, self._starts[word.start], end_s))
            self._ended += 1


def times_of_words(
    piece: PieceSymbols, symbol_frames: Sequence[int], num_latents: int, frame_rate: float
) -> tuple[list[WordTime], list[float]]:
    """Returns the times of a piece's words, and the pace of each of its latents.

    Args:
        piece: its symbols.
        symbol_frames: number of latents before each symbol, and before the end if it was written.
        num_latents: of the whole piece.
        frame_rate: latents a second.
    """
    clock = WordClock(piece, frame_rate)
    words: list[WordTime] = []
    rates: list[float] = []
    waiting = list(reversed(symbol_frames))
    for frame in range(num_latents + 1):
        while waiting and waiting[-1] <= frame:
            waiting.pop()
            words += clock.add_symbol()
        if frame < num_latents:
            clock.add_latent()
            rates.append(clock.rate)
    return words + clock.finish(), rates
