"""ECAPA-TDNN (Desplanques et al., 2020, arXiv 2005.07143) as SpeechBrain trained it on VoxCeleb.

It is built from SpeechBrain's own modules with the published sizes. Its configuration file is not
read, so that loading reads only tensors. The result equals `EncoderClassifier.encode_batch(audio)`,
which by default does not apply the trailing `mean_var_norm_emb` either.

T samples at 16 kHz, F frames (100 a second).
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from latentspeech.core.device import CPU, describe_device
from latentspeech.core.eval.scorer import package_version
from latentspeech.core.eval.weight_files import load_strictly, load_tensors
from latentspeech.core.eval.weights import Weights, WeightSource, resolve
from latentspeech.eval.models.speakers.speaker_model import BLOCKS, SAMPLE_RATE, SpeakerModel
from latentspeech.eval.models.speechbrain_package import import_speechbrain

ECAPA_VOXCELEB = WeightSource(
    name="spkrec-ecapa-voxceleb",
    weights=("embedding_model.ckpt",),
    repo="speechbrain/spkrec-ecapa-voxceleb",
    licence="Apache-2.0",
    size_mb=83,
)
_KERNEL_SIZES = [5, 3, 3, 3, 1]
_DILATIONS = [1, 2, 3, 4, 1]


@dataclass(frozen=True)
class EcapaSize:
    """The published sizes; tests make smaller ones."""

    num_mels: int = 80
    channels: tuple[int, int, int, int, int] = (1024, 1024, 1024, 1024, 3072)
    attention_channels: int = 128
    embedding_dim: int = 192


class Ecapa(SpeakerModel):
    """Computes log mel energies, subtracts their mean over the recording, applies the network."""

    name = "ecapa"
    label = "ECAPA"

    def __init__(
        self,
        source: WeightSource = ECAPA_VOXCELEB,
        size: EcapaSize | None = None,
        device: torch.device = CPU,
    ) -> None:
        super().__init__(device)
        self.source = source
        self.size = size or EcapaSize()

    def prepare(self) -> None:
        """Builds the network and loads its weights."""
        _ = self._model

    def describe(self) -> dict[str, Any]:
        """Describes the model; the checkpoint is named by content if loaded, else by address."""
        loaded = "_model" in self.__dict__
        return {
            "model": "SpeechBrain ECAPA-TDNN, VoxCeleb 1+2, 192 dimensions",
            "checkpoint": self._weights.checkpoint() if loaded else self.source.where(),
            "sample_rate": SAMPLE_RATE,
            "normaliser": f"none, nothing trimmed; {BLOCKS}",
            "package": package_version("speechbrain") if loaded else "speechbrain",
            **describe_device(self.device),
        }

    def _embed(self, audio: Tensor) -> Tensor:
        whole = torch.ones(1)  # relative length of the single row
        features = self._normalise(self._mels(audio[None]), whole)  # (1, F, mels)
        return self._model(features.to(self.device), whole.to(self.device))[0, 0]  # (E,)

    @cached_property
    def _weights(self) -> Weights:
        import_speechbrain(f"SIM-{self.label}")
        return resolve(self.source)

    @cached_property
    def _mels(self) -> Any:
        from speechbrain.lobes.features import Fbank

        return Fbank(n_mels=self.size.num_mels).eval()

    @cached_property
    def _normalise(self) -> Any:
        from speechbrain.processing.features import InputNormalization

        return InputNormalization(norm_type="sentence", std_norm=False).eval()

    @cached_property
    def _model(self) -> Any:
        weights = self._weights
        from speechbrain.lobes.models.ECAPA_TDNN import ECAPA_TDNN

        model = ECAPA_TDNN(
            input_size=self.size.num_mels,
            channels=list(self.size.channels),
            kernel_sizes=_KERNEL_SIZES,
            dilations=_DILATIONS,
            attention_channels=self.size.attention_channels,
            lin_neurons=self.size.embedding_dim,
        )
        load_strictly(model, load_tensors(weights.path), weights.path)
        return model.eval().to(self.device)
