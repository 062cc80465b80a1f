"""WavLM-base-plus with an x-vector head (Chen et al., 2022, arXiv 2110.13900), `-sv` on the hub.

Its cosines are far above those of WavLM-TDNN: .6 to .84 for two recordings of different people, .89
to .96 for two of one person.

T samples at 16 kHz, F frames (50 a second).
"""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.device import CPU, describe_device
from latentspeech.core.eval.pretrained import load_pretrained
from latentspeech.core.eval.scorer import package_version, require_packages
from latentspeech.core.eval.weights import Weights, WeightSource, resolve
from latentspeech.eval.models.speakers.speaker_model import BLOCKS, SAMPLE_RATE, SpeakerModel

WAVLM_BASE_PLUS_SV = WeightSource(
    name="wavlm-base-plus-sv",
    weights=("model.safetensors", "pytorch_model.bin"),
    files=("config.json", "preprocessor_config.json"),
    repo="microsoft/wavlm-base-plus-sv",
    licence="CC-BY-SA-3.0, that of the UniSpeech repository",
    size_mb=405,
)


class WavLmXVector(SpeakerModel):
    """WavLMForXVector of transformers with its feature extractor."""

    name = "wavlm-sv"
    label = "WavLM-SV"

    def __init__(
        self, source: WeightSource = WAVLM_BASE_PLUS_SV, device: torch.device = CPU
    ) -> None:
        super().__init__(device)
        self.source = source

    def prepare(self) -> None:
        """Loads the model and its feature extractor."""
        _ = self._model, self._extractor

    def describe(self) -> dict[str, Any]:
        """Describes the model; the checkpoint is named by content if loaded, else by address."""
        loaded = "_model" in self.__dict__
        return {
            "model": "WavLM-base-plus-sv, x-vector, 512 dimensions",
            "checkpoint": self._weights.checkpoint() if loaded else self.source.where(),
            "sample_rate": SAMPLE_RATE,
            "normaliser": f"as its preprocessor_config.json, nothing trimmed; {BLOCKS}",
            "package": package_version("transformers") if loaded else "transformers",
            **describe_device(self.device),
        }

    def _embed(self, audio: Tensor) -> Tensor:
        inputs = self._extractor(audio.numpy(), sampling_rate=SAMPLE_RATE, return_tensors="pt")
        return self._model(inputs.input_values.to(self.device)).embeddings[0]  # (E,)

    @cached_property
    def _weights(self) -> Weights:
        require_packages(f"SIM-{self.label}", {"transformers": "transformers"})
        return resolve(self.source)

    @cached_property
    def _model(self) -> Any:
        weights = self._weights
        from transformers import WavLMForXVector

        return load_pretrained(WavLMForXVector, weights).to(self.device)

    @cached_property
    def _extractor(self) -> Any:
        weights = self._weights
        from transformers import Wav2Vec2FeatureExtractor

        return Wav2Vec2FeatureExtractor.from_pretrained(weights.folder, local_files_only=True)
