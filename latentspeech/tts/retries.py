"""Retries: a sentence that was truncated or has no plausible length is spoken with other noise.

Whole, streamed and continued speech use the same loop.

T frames, D latent dimension.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from latentspeech.text.normalizer import NormalizedText
from latentspeech.tts.length_guard import is_plausible

logger = logging.getLogger(__name__)

# Its arguments are the indices of the texts to speak and the number of the attempt, from 0.
WriteOnce = Callable[[Sequence[int], int], "Sequence[WrittenSentence]"]


@dataclass(frozen=True)
class WrittenSentence:
    """Latents (T, D), and whether a limit of length ended them, not the model."""

    latents: NDArray[np.float32]
    truncated: bool
    # Number of latents before each token: in the layout aligned the symbols, then the end.
    symbol_frames: tuple[int, ...] = ()

    def is_good(self, text: NormalizedText, frame_rate: float) -> bool:
        """Returns whether the model stopped by itself and the length is plausible for the text."""
        return not self.truncated and is_plausible(text, len(self.latents) / frame_rate)


def write_until_good(
    texts: Sequence[NormalizedText], frame_rate: float, retries: int, write_once: WriteOnce
) -> list[WrittenSentence]:
    """Writes all texts; those that were truncated or have no plausible length are written again.

    Each is written again at most `retries` times. The result of the last attempt is kept, with a
    warning if it is bad too.
    """
    written: dict[int, WrittenSentence] = {}
    waiting = list(range(len(texts)))
    for attempt in range(retries + 1):
        written.update(zip(waiting, write_once(waiting, attempt), strict=True))
        waiting = [i for i in waiting if not written[i].is_good(texts[i], frame_rate)]
        if not waiting:
            break
    for i in waiting:
        warn(texts[i], written[i].truncated, retries + 1)
    return [written[i] for i in range(len(texts))]


def stream_of_noise(name: str, attempt: int) -> str:
    """Returns the name of the random stream of an attempt; the first attempt has `name` itself."""
    return f"{name}/{attempt}" if attempt else name


def warn(text: str, truncated: bool, attempts: int) -> None:
    """Logs a warning about a sentence that is still bad after all attempts."""
    logger.warning(
        "%s, in %d attempt%s: %r; another seed or prompt may do better",
        "cut at the longest time expected, the model did not stop"
        if truncated
        else "much shorter or longer than its text should take",
        attempts,
        "s" if attempts > 1 else "",
        text[:60],
    )
