"""Cuts long audio where it is quietest, for recognisers whose memory grows with the square of it.

Nothing up to `MAX_S` is cut: the longest utterance of LibriSpeech lasts 35 s, so figures on it are
those of the uncut audio. A cut falls in the middle of the quietest 0.2 s of the last third of the
allowed length; a word that is spoken right there may be lost or counted twice.

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
    """`audio` (T,) in pieces of at most `max_s` seconds that together are all of it."""
    max_samples = int(max_s * sample_rate)
    pieces = []
    while audio.numel() > max_samples:
        cut = _quietest(audio, int(max_samples * SEARCH_FROM), max_samples, sample_rate)
        pieces.append(audio[:cut])
        audio = audio[cut:]
    return [*pieces, audio]


def _quietest(audio: Tensor, first: int, last: int, sample_rate: int) -> int:
    """The sample in [first, last) around which a window holds the least energy."""
    window, hop = max(int(WINDOW_S * sample_rate), 1), max(int(HOP_S * sample_rate), 1)
    frames = audio[first:last].unfold(0, window, hop)  # (frames, window)
    energies = frames.square().mean(dim=1)  # (frames,)
    return first + int(torch.argmin(energies)) * hop + window // 2
