"""Turns the durations of phonemes into the times at which the tokenizer's symbols end."""

from collections.abc import Sequence
from itertools import accumulate

from latentspeech.text.tokenizers.misaki import word_starts

FRAME_S = 600 / 24000  # Kokoro's durations count in these


def symbol_ends(phonemes: str, frames: Sequence[float]) -> tuple[float, ...]:
    """Seconds at which each symbol ends, those of `misaki.phonemes`; the last with the recording.

    Args:
        phonemes: N symbols as they were spoken, words apart by spaces.
        frames: N + 2 durations: of the mark at the start, of each symbol, of the mark at the end.
    """
    if len(frames) != len(phonemes) + 2:
        raise ValueError(f"{len(frames)} durations for {len(phonemes)} phonemes and two marks")
    ends = list(accumulate(frames))[1:]  # of each symbol, the mark at the start being in the first
    starts = word_starts(phonemes)
    chosen: list[float] = []
    for start, end in zip(starts, [*starts[1:], len(phonemes)], strict=True):
        chosen += [ends[at] for at in range(start, end) if not phonemes[at].isspace()]
        chosen.append(ends[end - 1])  # of the space behind the word
    chosen[-2:] = ends[-1:]
    return tuple(round(FRAME_S * float(end), 4) for end in chosen)
