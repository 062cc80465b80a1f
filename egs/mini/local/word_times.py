"""When words end, from how long each phoneme lasts."""

from collections.abc import Sequence
from itertools import accumulate

from latentspeech.text.tokenizers.misaki import word_starts

FRAME_S = 600 / 24000  # Kokoro's durations count in these


def word_ends(phonemes: str, frames: Sequence[float]) -> tuple[float, ...]:
    """Seconds at which each word ends; a pause belongs to the word before it.

    Args:
        phonemes: N symbols, words apart by spaces.
        frames: N + 2 durations: of the mark at the start, of each symbol, of the mark at the end.
    """
    if len(frames) != len(phonemes) + 2:
        raise ValueError(f"{len(frames)} durations for {len(phonemes)} phonemes and two marks")
    ends = list(accumulate(frames))
    # The end of the symbol before a word is ends[start of the word], the mark being the first.
    chosen = [ends[start] for start in word_starts(phonemes)[1:]]
    return tuple(round(FRAME_S * float(end), 4) for end in (*chosen, ends[-1]))
