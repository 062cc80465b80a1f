"""What every source of speech offers: voices that speak any text, or recordings that exist."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import torch


class Recording(NamedTuple):
    """A recording that exists, with what it says."""

    name: str
    speaker: str
    text: str
    path: Path


class VoiceSource(Protocol):
    """Voices that speak any English text."""

    name: str
    licence: str

    def voices(self) -> list[str]:
        """Speakers, in a fixed order."""

    def speak(self, text: str, voice: str) -> tuple[torch.Tensor, int]:
        """Samples (T,) float32 and their rate in Hz."""


class RecordingSource(Protocol):
    """Recordings with transcripts."""

    name: str
    licence: str

    def recordings(self) -> Iterator[Recording]:
        """All of them, in a fixed order."""
