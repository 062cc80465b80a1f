"""The contract of a speaker model used as a judge: one recording in, one unit vector out.

A model is cheap to make and loads its weights on first use. What goes for all of them is here:
audio is checked and resampled to 16 kHz; silence and less than half a second are errors, since an
embedding of nothing still has a cosine; a recording that was embedded before is looked up by its
content, so that one prompt for a whole folder is embedded once.

T samples at 16 kHz, E embedding dimensions.
"""

import hashlib
from abc import ABC, abstractmethod
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from latentspeech.audio.io import resample
from latentspeech.audio.signal_check import check_signal, is_silent
from latentspeech.core.device import CPU
from latentspeech.core.errors import InputError

SAMPLE_RATE = 16000
MIN_S = 0.5
MAX_BLOCK_S = 40.0
_REMEMBERED = 1024  # embeddings of at most 512 numbers: 4 MB

BLOCKS = (
    f"audio over {MAX_BLOCK_S:g} s in equal blocks of at most that, their unit embeddings averaged"
)


@dataclass(frozen=True)
class Voice:
    """What a model made of a recording."""

    embedding: Tensor  # (E,) float64, unit length
    heard_s: float  # seconds that the model listened to


class SpeakerModel(ABC):
    """A voice as a unit vector; the cosine of two says whether one person may have spoken both.

    The network computes on `device`; audio and embeddings are on the CPU.
    """

    name: str  # as `load_speaker_model` knows it
    label: str  # in the metric's name, SIM-<label>

    def __init__(self, device: torch.device = CPU) -> None:
        self.device = device
        self._remembered: OrderedDict[bytes, Voice] = OrderedDict()

    @abstractmethod
    def prepare(self) -> None:
        """Loads packages and weights once; MetricUnavailable if they are not on this machine."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Model, checkpoint, preparation of the audio; does not need the weights to be there."""

    @abstractmethod
    def _embed(self, audio: Tensor) -> Tensor:
        """(T,) float32 at SAMPLE_RATE, MIN_S or more, not silent -> (E,), not normalised.

        The audio is on the CPU, the embedding on whatever device computed it.
        """

    def embed(self, role: str, audio: Tensor, sample_rate: int) -> Voice:
        """The voice in `audio` (T',) at `sample_rate`; InputError in the name of `role`."""
        audio = check_signal(role, audio, sample_rate)
        if is_silent(audio):
            raise InputError(f"{role} audio is silent; SIM-{self.label} expects a voice in it")
        self.prepare()
        samples = audio.contiguous().numpy()
        key = hashlib.sha1(sample_rate.to_bytes(4) + samples.tobytes()).digest()
        if key in self._remembered:
            self._remembered.move_to_end(key)
            return self._remembered[key]
        voice = self._voice(role, resample(audio, sample_rate, SAMPLE_RATE))
        self._remembered[key] = voice
        if len(self._remembered) > _REMEMBERED:
            self._remembered.popitem(last=False)
        return voice

    def _voice(self, role: str, audio: Tensor) -> Voice:
        """Block by block, so that memory does not grow with the length."""
        self._check_length(role, audio.numel() / SAMPLE_RATE, "audio")
        num_blocks = -(-audio.numel() // int(MAX_BLOCK_S * SAMPLE_RATE))
        with torch.inference_mode():
            blocks = [unit(self._embed(block)) for block in audio.tensor_split(num_blocks)]
        return Voice(unit(torch.stack(blocks).mean(dim=0)), audio.numel() / SAMPLE_RATE)

    def _check_length(self, role: str, heard_s: float, what: str) -> None:
        if heard_s < MIN_S:
            raise InputError(
                f"{role} audio has {heard_s:.2f} s of {what}; "
                f"SIM-{self.label} expects at least {MIN_S} s"
            )


def unit(embedding: Tensor) -> Tensor:
    """(E,) of any length -> (E,) float64 of length 1, on the CPU."""
    embedding = embedding.detach().cpu().double()
    return embedding / embedding.norm()
