"""The base class of recognisers whose weights are published as files.

T samples at 16 kHz.
"""

from abc import abstractmethod
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.device import CPU, describe_device
from latentspeech.core.eval.scorer import package_version
from latentspeech.core.eval.weights import Weights, WeightSource, resolve
from latentspeech.eval.models.recognisers import pieces
from latentspeech.eval.models.recognisers.recogniser import SAMPLE_RATE, Recogniser


class PublishedRecogniser(Recogniser):
    """Finds the weights once and splits the audio; a subclass loads its model and hears a piece."""

    model: str  # its line in a report
    decoding: str
    package: str  # the distribution that contains the model's code

    def __init__(self, source: WeightSource, device: torch.device = CPU) -> None:
        super().__init__(device)
        self.source = source

    def prepare(self) -> None:
        """Loads the model."""
        _ = self._model

    def describe(self) -> dict[str, Any]:
        """Describes the model; the checkpoint is named by content if loaded, else by address."""
        loaded = "_model" in self.__dict__
        return {
            "model": self.model,
            "checkpoint": self._weights.checkpoint() if loaded else self.source.where(),
            "sample_rate": SAMPLE_RATE,
            "decoding": f"{self.decoding}; {pieces.ABOUT}",
            "package": package_version(self.package) if loaded else self.package,
            **describe_device(self.device),
        }

    @abstractmethod
    def _require_packages(self) -> None:
        """Raises MetricUnavailable if a package is not installed."""

    @cached_property
    @abstractmethod
    def _model(self) -> Any:
        """The loaded model."""

    @abstractmethod
    def _recognise_piece(self, piece: Tensor) -> str:
        """Returns the text of a piece (T,) of at most `pieces.MAX_S` seconds."""

    @torch.inference_mode()
    def _recognise(self, audio: Tensor) -> str:
        found = pieces.cut_at_silences(audio, SAMPLE_RATE)
        return " ".join(map(self._recognise_piece, found))

    @cached_property
    def _weights(self) -> Weights:
        self._require_packages()
        return resolve(self.source)
