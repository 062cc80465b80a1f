"""Speaking again, with other noise, what came out wrong: the one loop of whole, streamed and
continued speech.

T frames, D latent dimension.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor

from latentspeech.text.normalizer import NormalizedText
from latentspeech.tts.length_guard import is_plausible

logger = logging.getLogger(__name__)

# From the indices of the texts to speak and the number of the attempt, from 0.
WriteOnce = Callable[[Sequence[int], int], "Sequence[WrittenSentence]"]


@dataclass(frozen=True)
class WrittenSentence:
    """Latents (T, D), and whether the model was stopped because it would not end."""

    latents: Tensor
    truncated: bool

    def is_good(self, text: NormalizedText, frame_rate: float) -> bool:
        """Whether it ended by itself and lasts as long as its text may."""
        return not self.truncated and is_plausible(text, len(self.latents) / frame_rate)


def write_until_good(
    texts: Sequence[NormalizedText], frame_rate: float, retries: int, write_once: WriteOnce
) -> list[WrittenSentence]:
    """Writes all texts, and those that are truncated or of no plausible length again.

    Each is written at most `retries` times more. The last attempt stays, with a warning if it is no
    better.
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
    """The name of the random numbers of an attempt; the first bears the plain name."""
    return f"{name}/{attempt}" if attempt else name


def warn(text: str, truncated: bool, attempts: int) -> None:
    """Says that a sentence is not as it should be."""
    logger.warning(
        "%s, in %d attempt%s: %r; another seed or prompt may do better",
        "cut at the longest time expected, the model did not stop"
        if truncated
        else "much shorter or longer than its text should take",
        attempts,
        "s" if attempts > 1 else "",
        text[:60],
    )
