"""The contract of a speaker model used as a judge: it maps a recording to a unit vector.

A model is cheap to make and loads its weights on first use. This class does what all of them need.
It checks the audio and resamples it to 16 kHz. Silence and audio under half a second are errors,
since even their embeddings would have a cosine. It remembers embeddings by the content of the
recording, so that one prompt for a whole folder is embedded once.

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
    """The embedding of a recording."""

    embedding: Tensor  # (E,) float64, unit length
    heard_s: float  # seconds of audio that the model used


class SpeakerModel(ABC):
    """Represents a voice as a unit vector; a high cosine suggests that one person spoke both.

    The network computes on `device`; audio and embeddings are on the CPU.
    """

    name: str  # the argument of `load_speaker_model`
    label: str  # in the metric's name, SIM-<label>

    def __init__(self, device: torch.device = CPU) -> None:
        self.device = device
        self._remembered: OrderedDict[bytes, Voice] = OrderedDict()

    @abstractmethod
    def prepare(self) -> None:
        """Loads packages and weights once; MetricUnavailable if they are not on this machine."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Describes model, checkpoint and preparation of the audio; works without the weights."""

    @abstractmethod
    def _embed(self, audio: Tensor) -> Tensor:
        """(T,) float32 at SAMPLE_RATE, MIN_S or longer, not silent -> (E,), not normalised.

        The audio is on the CPU; the embedding may be on the device that computed it.
        """

    def embed(self, role: str, audio: Tensor, sample_rate: int) -> Voice:
        """Embeds `audio` (T',) at `sample_rate`; an InputError names the audio by `role`."""
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
        """Embeds block by block, so that memory does not grow with the length."""
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
    """(E,) of any norm -> (E,) float64 of norm 1, on the CPU."""
    embedding = embedding.detach().cpu().double()
    return embedding / embedding.norm()
