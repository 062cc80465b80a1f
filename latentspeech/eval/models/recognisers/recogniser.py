"""The contract of a speech recogniser used as a judge: audio in, words out, the same each time.

A recogniser is cheap to make and loads its model on first use. What goes for all of them is here:
audio is checked and resampled to 16 kHz, silence is no words (asked about silence, recognisers
invent some), and anything shorter than 25 ms, less than one frame, is no words either.

T samples at 16 kHz.
"""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.audio.signal_check import check_signal, is_silent
from latentspeech.core.device import CPU

SAMPLE_RATE = 16000
MIN_SAMPLES = 400  # the receptive field of wav2vec-like encoders, the window of the others


class Recogniser(ABC):
    """English speech to text, one recording at a time, on `device`."""

    name: str  # as `load_recogniser` knows it
    metric: str  # the WER by this recogniser, in reports and errors

    def __init__(self, device: torch.device = CPU) -> None:
        self.device = device

    @abstractmethod
    def prepare(self) -> None:
        """Loads packages and weights once; MetricUnavailable if they are not on this machine."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Model, checkpoint, decoding and package; does not need the weights to be there."""

    @abstractmethod
    def _recognise(self, audio: Tensor) -> str:
        """What is said in `audio` (T,), float32 at SAMPLE_RATE, MIN_SAMPLES or more, not silent."""

    def transcribe(self, audio: Tensor, sample_rate: int) -> str:
        """What the recogniser hears in `audio` (T',) at `sample_rate`; "" for silence."""
        audio = check_signal("hypothesis", audio, sample_rate)
        self.prepare()
        if is_silent(audio):
            return ""
        audio = resample(audio, sample_rate, SAMPLE_RATE)  # (T,)
        if audio.numel() < MIN_SAMPLES:
            return ""
        return " ".join(self._recognise(audio).split())
