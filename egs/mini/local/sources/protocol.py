"""What a source of speech is: a synthesizer with voices, or a set of recordings with their text."""

from collections.abc import Iterator
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray


class Waveform(NamedTuple):
    """Mono float32 samples (T,) and their rate in Hz."""

    samples: NDArray[np.float32]
    sample_rate: int


@runtime_checkable
class Synthesizer(Protocol):
    """Speaks any text in any of its voices; `synthesize` may be called by several threads."""

    licence: str
    max_minutes_per_voice: float | None  # None: as much as is asked for

    def voices(self) -> list[str]:
        """Names of the speakers, unique over all sources."""

    def synthesize(self, text: str, voice: str) -> Waveform:
        """Speaks a sentence."""


class TranscribedRecording(NamedTuple):
    """One recording of a person; `RecordedSpeech.load` reads its samples."""

    name: str
    speaker: str
    text: str


class RecordedSpeech(Protocol):
    """Recordings of people that come with a transcript."""

    licence: str

    def recordings(self) -> Iterator[TranscribedRecording]:
        """All of them, always in the same order."""

    def load(self, recording: TranscribedRecording) -> Waveform:
        """Decodes one."""
