"""Splits long audio at quiet places, since a recogniser's memory grows with the length squared.

Audio up to `MAX_S` stays whole. The longest utterance of LibriSpeech lasts 35 s, so results on it
are those of whole utterances. Longer audio is split in the middle of the quietest 0.2 s in the last
third of the allowed length; a word spoken exactly there may be lost or counted twice.

T samples.
"""

import torch
from torch import Tensor

MAX_S = 36.0
SEARCH_FROM = 2 / 3  # of the allowed length
WINDOW_S = 0.2
HOP_S = 0.02

ABOUT = f"audio over {MAX_S:g} s is cut at its quietest places"


def cut_at_silences(audio: Tensor, sample_rate: int, max_s: float = MAX_S) -> list[Tensor]:
    """Splits `audio` (T,) into pieces of at most `max_s` seconds; together they are all of it."""
    max_samples = int(max_s * sample_rate)
    pieces = []
    while audio.numel() > max_samples:
        cut = _quietest(audio, int(max_samples * SEARCH_FROM), max_samples, sample_rate)
        pieces.append(audio[:cut])
        audio = audio[cut:]
    return [*pieces, audio]


def _quietest(audio: Tensor, first: int, last: int, sample_rate: int) -> int:
    """Returns the sample in [first, last) at the centre of the window with the least energy."""
    window, hop = max(int(WINDOW_S * sample_rate), 1), max(int(HOP_S * sample_rate), 1)
    frames = audio[first:last].unfold(0, window, hop)  # (frames, window)
    energies = frames.square().mean(dim=1)  # (frames,)
    return first + int(torch.argmin(energies)) * hop + window // 2
