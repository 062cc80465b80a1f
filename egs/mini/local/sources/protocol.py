"""The two kinds of sources of audio: a synthesizer with voices, and a set of recordings."""

from collections.abc import Iterator
from typing import Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

Kind = Literal["speech", "music", "noise", "effect"]


class Waveform(NamedTuple):
    """Mono float32 samples (T,), their rate in Hz, and where known the end of each word."""

    samples: NDArray[np.float32]
    sample_rate: int
    symbol_ends_s: tuple[float, ...] = ()


@runtime_checkable
class Synthesizer(Protocol):
    """Speaks any text in any of its voices; `synthesize` may be called by several threads."""

    licence: str
    max_minutes_per_voice: float | None  # None: as much as is asked for

    def voices(self) -> list[str]:
        """Names of the speakers, unique over all sources."""

    def synthesize(self, text: str, voice: str) -> Waveform:
        """Speaks a sentence."""


class Recording(NamedTuple):
    """One piece of audio; `RecordedAudio.load` reads its samples."""

    name: str  # unique in the source; part of the utterance's id
    speaker: str  # where it is no speech: what it comes from
    text: str = ""  # empty: nobody wrote down what is said
    kind: Kind = "speech"
    licence: str = ""  # where it is not the source's own
    native_rate_hz: int | None = None  # it was recorded at, where the samples have another rate


class RecordedAudio(Protocol):
    """Audio that exists already."""

    licence: str

    def recordings(self) -> Iterator[Recording]:
        """All of them, always in the same order."""

    def load(self, recording: Recording) -> Waveform:
        """Decodes one; DataError where it is damaged, so that the others go on."""
