"""The contract of a speech recogniser used as a judge: the same audio always gives the same words.

A recogniser is cheap to make and loads its model on first use. This class does what all of them
need: it checks the audio and resamples it to 16 kHz, and it returns no words for silence (for which
recognisers invent words) and for audio shorter than 25 ms, which is less than one frame.

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

    name: str  # the argument of `load_recogniser`
    metric: str  # name of the WER by this recogniser, in reports and errors

    def __init__(self, device: torch.device = CPU) -> None:
        self.device = device

    @abstractmethod
    def prepare(self) -> None:
        """Loads packages and weights once; MetricUnavailable if they are not on this machine."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Describes model, checkpoint, decoding and package; works without the weights."""

    @abstractmethod
    def _recognise(self, audio: Tensor) -> str:
        """Returns the text of `audio` (T,): float32, SAMPLE_RATE, T >= MIN_SAMPLES, not silent."""

    def transcribe(self, audio: Tensor, sample_rate: int) -> str:
        """Returns what the recogniser hears in `audio` (T',) at `sample_rate`; "" for silence."""
        audio = check_signal("hypothesis", audio, sample_rate)
        self.prepare()
        if is_silent(audio):
            return ""
        audio = resample(audio, sample_rate, SAMPLE_RATE)  # (T,)
        if audio.numel() < MIN_SAMPLES:
            return ""
        return " ".join(self._recognise(audio).split())
